import type { Logger } from 'pino'
import { type Context, type Observer, Publisher, Push } from 'zeromq'
import type { EngineFrame } from '../../../schemas/frames.ts'
import { attach } from './address.ts'
import { type CurveKeys, curveOptions } from './curve-gate.ts'
import { watchHandshakes } from './handshakes.ts'
import type { LiveLoss } from './live-loss.ts'
import type { Wire } from './wire.ts'

export type LiveSettings = {
  readonly mode: 'pub' | 'push'
  /** Where PUB binds, or where PUSH connects. */
  readonly address: string
  /** Messages that may wait in the socket for one reader; beyond it PUB drops, PUSH waits `stallMs`, then drops. */
  readonly highWaterMark: number
  readonly stallMs: number
  readonly curve: CurveKeys | null
  readonly wire: Wire
}

/** How long closing waits for the last frames to leave. */
const lingerMs = 1_000

/**
 * The live socket. It loses silently, as the protocol says: what a reader misses it asks for again. A PUSH without a
 * reader must not hold up the engine, so after one stall it drops at once until a frame goes through again.
 */
export class LivePublisher {
  readonly #socket: Publisher | Push
  /** Taken from before it connects, read later: a refusal may come first, and would come once only. */
  readonly #events: Observer
  readonly #settings: LiveSettings
  #queue: Promise<void> = Promise.resolve()
  #isMuted = false
  #dropped = 0
  #loss: LiveLoss | null = null

  private constructor(socket: Publisher | Push, settings: LiveSettings) {
    this.#socket = socket
    this.#events = socket.events
    this.#settings = settings
  }

  static async open(context: Context, settings: LiveSettings): Promise<LivePublisher> {
    const options = {
      context,
      linger: lingerMs,
      sendHighWaterMark: settings.highWaterMark,
      ...curveOptions(settings.curve),
    }
    if (settings.mode === 'pub') {
      const socket = new Publisher(options)
      const live = new LivePublisher(socket, settings)
      await attach(settings.address, () => socket.bind(settings.address))
      return live
    }
    const socket = new Push({ ...options, immediate: true, sendTimeout: settings.stallMs, reconnectMaxInterval: 1_000 })
    const live = new LivePublisher(socket, settings)
    await attach(settings.address, () => socket.connect(settings.address))
    return live
  }

  /** Where it is bound, with the port that was chosen; where it connects to. */
  get address(): string {
    return this.#settings.mode === 'pub'
      ? (this.#socket.lastEndpoint ?? this.#settings.address)
      : this.#settings.address
  }

  /** Tells of failed handshakes until closed. */
  async watch(log: Logger): Promise<void> {
    const { mode, address } = this.#settings
    const connectAgain = (): void => {
      if (this.#socket.closed) return
      try {
        this.#socket.disconnect(address)
      } catch {
        // libzmq has forgotten the address, too.
      }
      this.#socket.connect(address)
    }
    await watchHandshakes(this.#events, { log, name: 'live', ...(mode === 'push' ? { connectAgain } : {}) })
  }

  /** Frames that a PUSH gave up. A PUB doesn't know what it drops. */
  get dropped(): number {
    return this.#dropped
  }

  /** From now on frames get lost on purpose. */
  loseBy(loss: LiveLoss): void {
    this.#loss = loss
  }

  /** Sends frames after those given before. Returns when they are with the socket, or dropped. */
  publish(frames: readonly EngineFrame[]): Promise<void> {
    this.#queue = this.#queue.then(() => this.#sendAll(frames))
    return this.#queue
  }

  /** Waits for what was given before, at most a stall per group, and closes. */
  async close(): Promise<void> {
    await this.#queue
    this.#socket.close()
  }

  async #sendAll(frames: readonly EngineFrame[]): Promise<void> {
    for (const frame of frames) if (!this.#loss?.loses()) await this.#send(this.#settings.wire.encode(frame))
  }

  async #send(message: Buffer[]): Promise<void> {
    try {
      await this.#socket.send(message)
      if (this.#isMuted) this.#mute('off')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      this.#dropped++
      if (!this.#isMuted) this.#mute('on')
    }
  }

  #mute(state: 'on' | 'off'): void {
    this.#isMuted = state === 'on'
    this.#socket.sendTimeout = this.#isMuted ? 0 : this.#settings.stallMs
  }
}
