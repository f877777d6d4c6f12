import type { EngineLink } from '../../../bridge/engine-link.ts'
import type { Dice } from '../dice.ts'
import type { Timeline } from '../timeline.ts'
import type { WorldEngine } from './world-engine.ts'

type Kind = 'live' | 'replay'

type LinkWeather = {
  /** Share of live frames that are lost; of answers and requests a tenth as many. */
  readonly loss: number
  readonly latencyMs: number
}

export type WorldLinkOptions = {
  readonly engine: WorldEngine
  readonly timeline: Timeline
  readonly dice: Dice
  readonly weather: () => LinkWeather
  /** Resolves when the process at the other end may hear; never once it is dead. */
  readonly awake: () => Promise<void>
}

/** A socket keeps so many messages for a reader that does not read; live ones are dropped beyond. */
const highWaterMark = 200

/** Both sockets of a bridge: in order, lossy, each as slow as the other. */
export class WorldLink implements EngineLink {
  readonly replays = true
  readonly #options: WorldLinkOptions
  readonly #queues: Readonly<Record<Kind, (readonly Buffer[])[]>> = { live: [], replay: [] }
  readonly #arrival: Record<Kind, number> = { live: 0, replay: 0 }
  readonly #waiting: Record<Kind, PromiseWithResolvers<void> | null> = { live: null, replay: null }
  #isClosed = false

  constructor(options: WorldLinkOptions) {
    this.#options = options
    options.engine.open(this)
  }

  /** From the engine. */
  deliver(kind: Kind, message: readonly Buffer[]): void {
    const { timeline, dice, weather } = this.#options
    const { loss, latencyMs } = weather()
    if (dice.chance(kind === 'live' ? loss : loss / 10)) return
    // What was sent first arrives first.
    const nowMs = timeline.monotonicMs()
    const atMs = Math.max(this.#arrival[kind], nowMs + dice.between(0, latencyMs))
    this.#arrival[kind] = atMs
    timeline.after(atMs - nowMs, () => {
      if (kind === 'live' && this.#queues.live.length >= highWaterMark) return
      this.#queues[kind].push(message)
      this.#waiting[kind]?.resolve()
    })
  }

  async receive(source: Kind): Promise<readonly Buffer[] | undefined> {
    for (;;) {
      await this.#options.awake()
      if (this.#isClosed) return undefined
      const message = this.#queues[source].shift()
      if (message) return message
      this.#waiting[source] = Promise.withResolvers()
      await this.#waiting[source]?.promise
    }
  }

  async send(frames: readonly Buffer[]): Promise<void> {
    const { timeline, dice, weather, engine, awake } = this.#options
    await awake()
    const { loss, latencyMs } = weather()
    if (this.#isClosed || dice.chance(loss / 10)) return
    timeline.after(dice.between(0, latencyMs), () => engine.hear(this, frames))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#options.engine.closed(this)
    this.#waiting.live?.resolve()
    this.#waiting.replay?.resolve()
  }
}
