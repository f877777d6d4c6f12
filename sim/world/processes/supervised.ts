import type { MemoryBroker } from '../../../runtime/kafka/testing/memory-broker.ts'
import { KafkaFailure } from '../../../runtime/kafka/port.ts'
import type { Service } from '../../../runtime/service.ts'
import { Stop } from '../../../runtime/stop.ts'
import type { Dice } from '../dice.ts'
import type { Timeline } from '../timeline.ts'
import type { Trace } from '../trace.ts'
import { Life } from './life.ts'

/** How a life ended that nobody ended. */
export type Ending = { readonly code: string; readonly kind: 'may-restart' | 'refused' | 'bug'; readonly text: string }

export type SupervisedOptions = {
  readonly name: string
  readonly broker: MemoryBroker
  readonly timeline: Timeline
  readonly trace: Trace
  readonly dice: Dice
  readonly start: (life: Life) => Service
  /** Told of each end that nobody asked for. */
  readonly onEnding: (process: Supervised, ending: Ending) => void
}

/** How long a stop may take before it is a kill, as orchestrators do it. */
const drainMs = 25_000

/** A process that is started again whenever it ends, until it is retired. */
export class Supervised {
  readonly name: string
  readonly #options: SupervisedOptions
  /** Of its machine's clock, µs. */
  skewUs = 0n
  #life: Life | null = null
  #lives = 0
  #isRetired = false

  constructor(options: SupervisedOptions) {
    this.name = options.name
    this.#options = options
  }

  get life(): Life | null {
    return this.#life
  }

  get isRunning(): boolean {
    return this.#life?.state === 'running'
  }

  launch(): void {
    if (this.#life || this.#isRetired) return
    const { broker, timeline, trace, start } = this.#options
    const name = `${this.name}.${++this.#lives}`
    const life = new Life({ name, kafka: broker.client(name), timeline, skewUs: () => this.skewUs })
    this.#life = life
    trace.tell(name, 'starts')
    start(life)
      .run(life.stopping.signal)
      .then(
        () => this.#ended(life, null),
        (error: unknown) => this.#ended(life, error),
      )
  }

  kill(): void {
    const life = this.#life
    if (!life) return
    this.#options.trace.tell(life.name, 'is killed')
    life.kill()
    this.#gone(life)
  }

  freeze(ms: number): void {
    const life = this.#life
    if (life?.state !== 'running') return
    this.#options.trace.tell(life.name, `is stopped for ${ms} ms`)
    life.freeze()
    this.#options.timeline.after(ms, () => this.thaw())
  }

  thaw(): void {
    if (this.#life?.state !== 'frozen') return
    this.#options.trace.tell(this.#life.name, 'goes on')
    this.#life.thaw()
  }

  /** Its groups throw it out, and it does not know for a while. */
  expel(ms: number): void {
    if (this.#life?.state !== 'running') return
    this.#options.trace.tell(this.#life.name, `is thrown out of its group, and notices ${ms} ms later`)
    this.#life.kafka.expel(ms)
  }

  /** Asks it to stop. It comes back unless it is retired. */
  stop(): void {
    const life = this.#life
    if (!life || life.stopping.signal.aborted) return
    this.#options.trace.tell(life.name, 'is asked to stop')
    life.stopping.abort()
    this.#options.timeline.after(drainMs, () => {
      if (this.#life === life) this.kill()
    })
  }

  retire(): void {
    this.#isRetired = true
    this.stop()
  }

  #ended(life: Life, error: unknown): void {
    // What is dead says nothing.
    if (this.#life !== life || life.state === 'dead') return
    const { trace, onEnding } = this.#options
    const wasAsked = life.stopping.signal.aborted
    trace.tell(life.name, error === null ? 'has ended' : `has ended: ${errorText(error)}`)
    life.end()
    if (error !== null) onEnding(this, endingOf(error))
    else if (!wasAsked) onEnding(this, { code: 'ended', kind: 'bug', text: 'it ended though nobody asked it to' })
    this.#gone(life)
  }

  #gone(life: Life): void {
    if (this.#life !== life) return
    this.#life = null
    const { timeline, dice } = this.#options
    timeline.after(dice.between(100, 2500), () => this.launch())
  }
}

const errorText = (error: unknown): string => (error instanceof Error ? error.message : JSON.stringify(error))

const endingOf = (error: unknown): Ending => {
  const text = error instanceof Error && error.stack !== undefined ? error.stack : errorText(error)
  if (error instanceof Stop)
    return { code: error.code, kind: error.reason === 'failed' ? 'may-restart' : 'refused', text: error.message }
  if (error instanceof KafkaFailure)
    return {
      code: `kafka-${error.kind}`,
      kind: error.kind === 'retriable' || error.kind === 'unknown' ? 'may-restart' : 'bug',
      text,
    }
  return { code: 'unexpected', kind: 'bug', text }
}
