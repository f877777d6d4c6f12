import type { Clock } from './clock.ts'
import { type Assignment, KafkaFailure, type KafkaPort, type Membership, type TxWriter } from './kafka/port.ts'
import type { Log } from './log.ts'
import { Stop } from './stop.ts'

export type LeadershipState = 'joining' | 'standby' | 'leading' | 'stopped'

export type LeadershipOptions = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly log: Log
  readonly group: string
  /** Whoever owns its partition 0 leads. */
  readonly topic: string
  /** Each term writes by it, and fences by it whoever wrote before. */
  readonly transactionalId: string
  /** After a writer was fenced or its outcome unknown: before the coordinator is asked who owns, and again. */
  readonly backoffMs: number
  /**
   * Recovers and works until the signal is aborted, then drains and resolves; when it settles nothing uses the writer any
   * more. A rejection with KafkaFailure `fenced`, `unknown` or `retriable` ends this term only; any other ends the service,
   * a Stop if the writer was not fenced by then.
   */
  readonly lead: (writer: TxWriter, signal: AbortSignal) => Promise<void>
}

/** Whether another term may mend it. */
const endsTerm = (error: unknown): error is KafkaFailure =>
  error instanceof KafkaFailure && error.kind !== 'fatal' && error.kind !== 'out-of-range'

/**
 * One instance of a service leads, the others stand by: a group on one partition decides who. Being told of an
 * assignment is enough to begin: whoever begins fences. After a term that was fenced or ended in doubt our own view is
 * worth nothing (a process that was stopped for a while believes in an assignment that is long over), so the group's
 * coordinator is asked, and only its owner leads again. Two that fence each other in turn are thus impossible.
 */
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
    const broken = Promise.withResolvers<never>()
    broken.promise.catch(() => {})
    let term: AbortController | null = null
    let running: Promise<void> = Promise.resolve()
    // The first assignment may come before the join has resolved.
    const joined = Promise.withResolvers<Membership>()
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
      running = running.then(() => this.#serve(own.signal, joined.promise)).catch(error => broken.reject(error))
    }
    const joining = kafka.join({ group, topic, onAssignment, onFailure: error => failed.reject(error), signal })
    joining.then(joined.resolve, (error: unknown) => {
      joined.reject(error)
      // Asked to stop before it was known who leads: no failure.
      if (!signal.aborted) failed.reject(error)
    })
    joined.promise.catch(() => {})
    const aborted = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    if (signal.aborted) aborted.resolve()
    try {
      await Promise.race([aborted.promise, failed.promise, broken.promise])
    } finally {
      stopping = true
      ;(term as AbortController | null)?.abort()
      await running
      this.#state = 'stopped'
      await joining.then(
        membership => membership.leave(),
        () => {},
      )
    }
    // Asked to stop, and something was found wrong while the term drained: it counts all the same.
    await Promise.race([broken.promise, Promise.resolve()])
  }

  async #serve(signal: AbortSignal, joined: Promise<Membership>): Promise<void> {
    const { log } = this.#options
    while (!signal.aborted) {
      this.#state = 'leading'
      try {
        await this.#term(signal)
      } catch (error) {
        if (!endsTerm(error)) throw error
        log.warn({ err: error, kind: error.kind }, 'the term ended; asking the group who owns')
        this.#state = 'standby'
        await this.#untilOwner(signal, await joined)
      }
    }
    this.#state = 'standby'
  }

  async #term(signal: AbortSignal): Promise<void> {
    const { kafka, transactionalId, lead } = this.#options
    const writer = await kafka.openTxWriter({ transactionalId })
    try {
      await lead(writer, signal)
    } catch (error) {
      if (error instanceof Stop) await this.#checkUnfenced(writer, error)
      throw error
    } finally {
      await writer.close()
    }
  }

  /**
   * Whoever was replaced and has not heard of it sees a stream that goes on without it: what it finds wrong there (outputs
   * that the next one acknowledged, and the engine trimmed) must not stop anything. Its group may even name it the owner
   * again by then, so only the writer tells: one that is not fenced has read the last word of the log. What is wrong in
   * truth is found again by the next term.
   */
  async #checkUnfenced(writer: TxWriter, stop: Stop): Promise<void> {
    const { log, group, topic } = this.#options
    try {
      await writer.proveUnfenced({ group, topic, partition: 0 })
    } catch (error) {
      if (!endsTerm(error)) return
      log.warn({ err: stop, code: stop.code, kind: error.kind }, 'a stop does not count: another leads, or may lead')
      throw error
    }
  }

  /** Until the coordinator names this member as the owner. */
  async #untilOwner(signal: AbortSignal, membership: Membership): Promise<void> {
    const { clock, log, backoffMs } = this.#options
    for (let said = ''; ; ) {
      await clock.sleep(backoffMs, signal)
      if (signal.aborted) return
      try {
        const owner = await membership.owner(0)
        if (owner === 'this member') return
        if (owner !== said) log.info({ owner }, 'standing by: the group has another owner, or none yet')
        said = owner
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind === 'fatal') throw error
        log.warn({ err: error }, 'the group can not be asked who owns; asking again')
      }
    }
  }
}
