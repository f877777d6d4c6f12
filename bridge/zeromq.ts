import * as zmq from 'zeromq'
import { settingsProblem } from '../runtime/settings.ts'
import type { EngineLink, OpenEngineLink } from './engine-link.ts'

export type ZeroMqSettings = {
  /** `sub:tcp://host:port` connects to the engine's PUB; `pull:tcp://host:port` binds for its PUSH. */
  readonly live: string
  /** The engine's ROUTER. */
  readonly replay: string
  /** Messages kept by each socket before the engine, or the network, has to wait. */
  readonly highWaterMark: number
  readonly maxMessageBytes: number
  readonly sendTimeoutMs: number
  readonly curve: { readonly engineKey: string; readonly publicKey: string; readonly secretKey: string } | null
  readonly plainBeyondLoopback: 'refused' | 'allowed'
}

const loopback = /^(tcp:\/\/(127\.\d+\.\d+\.\d+|\[::1\]|localhost):\d+|ipc:\/\/.+|inproc:\/\/.+)$/

/**
 * The engine over ZeroMQ.
 * @throws Stop `settings` for an address of another form, or one beyond loopback without CURVE keys.
 */
export const zeroMqLink = (settings: ZeroMqSettings): OpenEngineLink => {
  const live = /^(sub|pull):(.+)$/.exec(settings.live)
  const problems: string[] = []
  if (!live) problems.push(`ENGINE_LIVE=${settings.live}: must be sub:<address> or pull:<address>`)
  const [, pattern, address] = (live ?? ['', 'sub', '']) as unknown as [string, 'sub' | 'pull', string]
  for (const [name, value] of Object.entries({ ENGINE_LIVE: address, ENGINE_REPLAY: settings.replay }))
    if (!settings.curve && settings.plainBeyondLoopback === 'refused' && !loopback.test(value))
      problems.push(
        `${name}=${value}: without CURVE keys only loopback is spoken to; set the keys or ENGINE_PLAIN=allowed`,
      )
  if (problems.length > 0) throw settingsProblem(problems)
  return () => ZeroMqLink.open(settings, { pattern, address })
}

class ZeroMqLink implements EngineLink {
  readonly replays = true
  readonly #live: zmq.Subscriber | zmq.Pull
  readonly #replay: zmq.Dealer
  #closed = false
  #sending: Promise<void> = Promise.resolve()

  private constructor(live: zmq.Subscriber | zmq.Pull, replay: zmq.Dealer) {
    this.#live = live
    this.#replay = replay
  }

  static async open(
    settings: ZeroMqSettings,
    { pattern, address }: { readonly pattern: 'sub' | 'pull'; readonly address: string },
  ): Promise<ZeroMqLink> {
    const receiving = { receiveHighWaterMark: settings.highWaterMark, maxMessageSize: settings.maxMessageBytes }
    const asClient = settings.curve
      ? {
          curveServerKey: settings.curve.engineKey,
          curvePublicKey: settings.curve.publicKey,
          curveSecretKey: settings.curve.secretKey,
        }
      : {}
    const replay = new zmq.Dealer({
      ...receiving,
      ...asClient,
      linger: 0,
      sendTimeout: settings.sendTimeoutMs,
      immediate: true,
      reconnectInterval: 50,
      reconnectMaxInterval: 1000,
    })
    replay.connect(settings.replay)
    if (pattern === 'pull') {
      // The engine is the CURVE server on both sockets, also where it connects.
      const pull = new zmq.Pull({ ...receiving, ...asClient, linger: 0 })
      await pull.bind(address)
      return new ZeroMqLink(pull, replay)
    }
    const sub = new zmq.Subscriber({
      ...receiving,
      ...asClient,
      linger: 0,
      reconnectInterval: 50,
      reconnectMaxInterval: 1000,
    })
    sub.subscribe()
    sub.connect(address)
    return new ZeroMqLink(sub, replay)
  }

  async receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined> {
    if (this.#closed) return undefined
    try {
      return await (source === 'live' ? this.#live : this.#replay).receive()
    } catch (error) {
      // A socket closed under a waiting receive says so by an error; ours closes only by close().
      if (this.#closed) return undefined
      throw error
    }
  }

  send(frames: readonly Buffer[]): Promise<void> {
    // A socket takes one send at a time.
    const sent = this.#sending.then(() => this.#replay.send([...frames]))
    this.#sending = sent.catch(() => {})
    return sent
  }

  close(): void {
    this.#closed = true
    this.#live.close()
    this.#replay.close()
  }
}
