import { type Context, Reply } from 'zeromq'
import { toZ85 } from './z85.ts'

/** The engine's own secret key and the public keys of those who may talk to it, in Z85. */
export type CurveKeys = { readonly secretKey: string; readonly clientKeys: readonly string[] }

/**
 * Answers libzmq's question, for each CURVE handshake in a context, whether that client may come in (ZAP, RFC 27).
 * Must be open before any socket of the context binds: without a handler, every key would be let in.
 */
export class CurveGate {
  readonly #socket: Reply
  readonly #allowed: ReadonlySet<string>
  readonly #onRefused: (key: string) => void

  private constructor(context: Context, { keys, onRefused }: CurveGateParts) {
    this.#socket = new Reply({ context, linger: 0 })
    this.#allowed = new Set(keys.clientKeys)
    this.#onRefused = onRefused
  }

  static async open(context: Context, parts: CurveGateParts): Promise<CurveGate> {
    const gate = new CurveGate(context, parts)
    await gate.#socket.bind('inproc://zeromq.zap.01')
    void gate.#answer()
    return gate
  }

  close(): void {
    this.#socket.close()
  }

  async #answer(): Promise<void> {
    try {
      for await (const question of this.#socket) await this.#socket.send(this.#answerTo(question))
    } catch (error) {
      // Closed before the answer was out: whoever asked is closed too.
      if (!this.#socket.closed) throw error
    }
  }

  #answerTo([version, id, , , , mechanism, key]: readonly Buffer[]): (Buffer | string)[] {
    const client = key?.length === 32 ? toZ85(key) : ''
    const isAllowed = mechanism?.toString() === 'CURVE' && this.#allowed.has(client)
    if (!isAllowed) this.#onRefused(client)
    const [code, text] = isAllowed ? ['200', 'OK'] : ['400', 'this key is not on the list']
    return [version ?? '1.0', id ?? '', code, text, client, '']
  }
}

export type CurveGateParts = { readonly keys: CurveKeys; readonly onRefused: (key: string) => void }

/** Socket options of a CURVE server, whichever side connects. */
export const curveOptions = (keys: CurveKeys | null): { curveServer?: true; curveSecretKey?: string } =>
  keys ? { curveServer: true, curveSecretKey: keys.secretKey } : {}
