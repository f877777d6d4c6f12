import type { Clock } from './clock.ts'
import { type Assignment, KafkaFailure, type KafkaPort } from './kafka/port.ts'
import type { Log } from './log.ts'

export type LeadershipState = 'joining' | 'standby' | 'leading' | 'stopped'

export type LeadershipOptions = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly log: Log
  readonly group: string
  /** Whoever owns its partition 0 leads. */
  readonly topic: string
  /** Before leading again after a writer was fenced or its outcome unknown. */
  readonly backoffMs: number
  /**
   * Fences, recovers and works until the signal is aborted, then drains and resolves. A rejection with KafkaFailure
   * `fenced`, `unknown` or `retriable` ends this term only; any other ends the service.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>
}

/** One instance of a service leads, the others stand by: a group on one partition decides who. */
export class Leadership {
  readonly #options: LeadershipOptions
  #state: LeadershipState = 'joining'

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  get state(): LeadershipState {
    return this.#state
  }

  /** Takes part until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { kafka, group, topic, log } = this.#options
    const failed = Promise.withResolvers<never>()
    failed.promise.catch(() => {})
    let term: AbortController | null = null
    let running: Promise<void> = Promise.resolve()
    let stopping = false
    const onAssignment = ({ partitions, generation }: Assignment): void => {
      // From the stop on no term begins: nobody would end it, and it would fence whoever leads next.
      if (stopping) return
      const owner = partitions.includes(0)
      log.info({ group, generation, leader: owner }, owner ? 'elected' : 'standing by')
      if (owner && term && !term.signal.aborted) return
      term?.abort()
      term = null
      if (!owner) {
        this.#state = 'standby'
        return
      }
      const own = new AbortController()
      term = own
      // A term begins when the one before has drained: both would write by the same id and fence each other.
      running = running.then(() => this.#serve(own.signal)).catch(error => failed.reject(error))
    }
    const membership = await kafka.join({ group, topic, onAssignment, onFailure: error => failed.reject(error) })
    const aborted = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    if (signal.aborted) aborted.resolve()
    try {
      await Promise.race([aborted.promise, failed.promise])
    } finally {
      stopping = true
      ;(term as AbortController | null)?.abort()
      await running
      this.#state = 'stopped'
      await membership.leave()
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { lead, clock, log, backoffMs } = this.#options
    while (!signal.aborted) {
      this.#state = 'leading'
      try {
        await lead(signal)
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind === 'fatal' || error.kind === 'out-of-range') throw error
        log.warn({ err: error, kind: error.kind }, 'the term ended; recovering from the log')
        await clock.sleep(backoffMs, signal)
      }
    }
    this.#state = 'standby'
  }
}
