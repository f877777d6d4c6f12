import { Context, Dealer, Pull, Subscriber } from 'zeromq'
import type { Session } from '../../../core/events.ts'
import { type BridgeFrame, decodeEngineFrame, encodeBridgeFrame, type EngineFrame } from '../../../schemas/frames.ts'

export type CurveClient = { readonly publicKey: string; readonly secretKey: string; readonly serverKey: string }

const curveOf = (curve: CurveClient | undefined) =>
  curve ? { curvePublicKey: curve.publicKey, curveSecretKey: curve.secretKey, curveServerKey: curve.serverKey } : {}

/** Collects the frames of a live socket. */
export class LiveClient {
  readonly frames: EngineFrame[] = []
  readonly #socket: Subscriber | Pull

  private constructor(socket: Subscriber | Pull) {
    this.#socket = socket
    void this.#collect()
  }

  static subscribe(address: string, curve?: CurveClient): LiveClient {
    const socket = new Subscriber({ context: new Context(), linger: 0, ...curveOf(curve) })
    socket.connect(address)
    socket.subscribe()
    return new LiveClient(socket)
  }

  static async pull(address: string, curve?: CurveClient): Promise<LiveClient> {
    const socket = new Pull({ context: new Context(), linger: 0, ...curveOf(curve) })
    await socket.bind(address)
    return new LiveClient(socket)
  }

  of<K extends EngineFrame['kind']>(kind: K): Extract<EngineFrame, { kind: K }>[] {
    return this.frames.filter((frame): frame is Extract<EngineFrame, { kind: K }> => frame.kind === kind)
  }

  close(): void {
    this.#socket.close()
  }

  async #collect(): Promise<void> {
    for await (const message of this.#socket) this.frames.push(decodeEngineFrame(message))
  }
}

export type Answer = {
  readonly outputs: readonly Extract<EngineFrame, { kind: 'OUT' }>[]
  readonly end: Extract<EngineFrame, { kind: 'END' | 'TRIMMED' }>
}

/** Asks for replays and acknowledges. */
export class ReplayClient {
  readonly #socket: Dealer

  constructor(address: string, { curve, receiveHighWaterMark = 1_000, timeoutMs = 5_000 }: ReplayClientOptions = {}) {
    this.#socket = new Dealer({
      ...{ context: new Context(), linger: 0, receiveTimeout: timeoutMs, sendTimeout: timeoutMs, receiveHighWaterMark },
      ...curveOf(curve),
    })
    this.#socket.connect(address)
  }

  async send(frame: BridgeFrame): Promise<void> {
    await this.#socket.send(encodeBridgeFrame(frame))
  }

  async sendRaw(...frames: string[]): Promise<void> {
    await this.#socket.send(frames)
  }

  /** Sends a REPLAY and reads its answer. */
  async ask(session: Session | null, from: bigint, to = 0n): Promise<Answer> {
    await this.send({ kind: 'REPLAY', session, from, to })
    return this.answer()
  }

  async answer(): Promise<Answer> {
    const outputs: Extract<EngineFrame, { kind: 'OUT' }>[] = []
    for (;;) {
      const frame = decodeEngineFrame(await this.#socket.receive())
      if (frame.kind === 'OUT') outputs.push(frame)
      else if (frame.kind === 'END' || frame.kind === 'TRIMMED') return { outputs, end: frame }
      else throw new Error(`a ${frame.kind} in answer to REPLAY`)
    }
  }

  close(): void {
    this.#socket.close()
  }
}

export type ReplayClientOptions = {
  readonly curve?: CurveClient
  readonly receiveHighWaterMark?: number
  readonly timeoutMs?: number
}
