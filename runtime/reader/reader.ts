import { checkPartitions } from '../kafka/check-partitions.ts'
import type { Log } from '../log.ts'
import {
  type Assignment,
  type Fetcher,
  KafkaFailure,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
} from '../kafka/port.ts'
import type { Clock } from '../clock.ts'
import { DecodeError } from '../../schemas/codec.ts'
import { serviceOfGroup } from '../names.ts'
import { refuse } from '../stop.ts'
import type { Numbering, Place } from './numbering.ts'
import { fromCommitted, type Progress, toCommitted } from './progress.ts'

/** A record as read: decoded, with the bytes it came in. */
export type ReadRecord<R> = { readonly offset: bigint; readonly record: R; readonly value: Buffer }

/** What a service does with one partition for as long as it owns it. */
export interface PartitionWorker<R> {
  /** Takes records in order; resolves when more may come: this is the backpressure. Rejecting stops the service. */
  take(records: readonly ReadRecord<R>[]): Promise<void>
  /** The assignment is over or the service stops: finish what is under way within a bound, then resolve. */
  close(): Promise<void>
  /**
   * Rejects when the worker fails on its own, between two calls of `take`; never resolves. With `ReopenPartition` it is
   * closed and another one opened from the committed offset, with anything else the service stops.
   */
  readonly failed?: Promise<never>
}

/** A worker's word that what it holds in memory is in doubt: throw it away and start again from the committed offset. */
export class ReopenPartition extends Error {
  override readonly name = 'ReopenPartition'
}

export type OpenPartition<R> = (partition: {
  readonly partition: number
  readonly start: Progress
  /** After the effect is durable. Rejects with KafkaFailure `superseded` when the partition is no longer owned. */
  readonly commit: (progress: Progress) => Promise<void>
  /** Aborted when the assignment is over or the service stops. */
  readonly signal: AbortSignal
}) => Promise<PartitionWorker<R>>

export type ReaderOptions<R> = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly log: Log
  readonly group: string
  readonly topic: string
  /** What the topic must have; 1 for `engine.outputs`. */
  readonly partitions: number
  readonly numbering: Numbering<R>
  readonly open: OpenPartition<R>
}

const retryMs = 500
/**
 * What is fetched at once, for all partitions together and for one: decoded it takes some twenty times as much memory,
 * and an instance that is left alone with every partition reads the backlog of each at the same moment.
 */
const fetchLimits = { together: 2 * 1024 * 1024, most: 512 * 1024, least: 64 * 1024 } as const

type OwnedPartition = {
  readonly partition: number
  readonly assignment: Assignment
  readonly membership: Membership
  readonly fetcher: Fetcher
  readonly signal: AbortSignal
}

type State =
  | { readonly kind: 'joining' }
  | { readonly kind: 'assigned'; readonly assignment: Assignment }
  | { readonly kind: 'stopped' }

/**
 * A reader of a topic as a consumer group: shares the partitions with its peers, starts each where Kafka says with
 * the checks that catch a log that is not the one it read before, and hands on every record once, in order.
 */
export class Reader<R> {
  readonly #options: ReaderOptions<R>
  #state: State = { kind: 'joining' }
  #failed: PromiseWithResolvers<never> = Promise.withResolvers<never>()
  #running: Promise<void> = Promise.resolve()
  #current: AbortController | null = null

  constructor(options: ReaderOptions<R>) {
    this.#options = options
    this.#failed.promise.catch(() => {})
  }

  /** Partitions owned now; empty between assignments. */
  get owned(): readonly number[] {
    return this.#state.kind === 'assigned' ? this.#state.assignment.partitions : []
  }

  /** Reads until the signal is aborted. Rejects with Stop when the log is not what it should be. */
  async run(signal: AbortSignal): Promise<void> {
    const { kafka, group, topic } = this.#options
    await checkPartitions(this.#options)
    const fetcher = kafka.openFetcher()
    const joined = Promise.withResolvers<Membership>()
    const joining = kafka.join({
      group,
      topic,
      onAssignment: assignment => this.#assign(assignment, joined.promise, fetcher),
      onFailure: error => this.#failed.reject(error),
      signal,
    })
    const membership = await joining.catch(async (error: unknown) => {
      this.#state = { kind: 'stopped' }
      await fetcher.close()
      if (!signal.aborted) throw error
      return null
    })
    // Asked to stop before there was anything to read.
    if (!membership) return
    joined.resolve(membership)
    const aborted = new Promise<void>(resolve => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([aborted, this.#failed.promise])
    } finally {
      // From here on no assignment begins: its workers would outlive us.
      this.#state = { kind: 'stopped' }
      this.#current?.abort()
      await this.#running
      await membership.leave()
      await fetcher.close()
    }
  }

  #assign(assignment: Assignment, joined: Promise<Membership>, fetcher: Fetcher): void {
    if (this.#state.kind === 'stopped') return
    this.#current?.abort()
    const own = new AbortController()
    this.#current = own
    // The workers of the assignment before must have closed: two would hold one cache, one file, one buffer.
    this.#running = this.#running.then(async () => {
      if (own.signal.aborted || this.#state.kind === 'stopped') return
      this.#state = { kind: 'assigned', assignment }
      this.#options.log.info({ partitions: assignment.partitions, generation: assignment.generation }, 'assigned')
      const membership = await joined
      const read = async (partition: number): Promise<void> => {
        try {
          await this.#readPartition({ partition, assignment, membership, fetcher, signal: own.signal })
        } catch (error) {
          // One that can't go on ends all: the others close before anything new begins.
          own.abort()
          this.#failed.reject(error)
        }
      }
      await Promise.all(assignment.partitions.map(read))
    })
  }

  async #readPartition(owned: OwnedPartition): Promise<void> {
    const { log, clock } = this.#options
    const { partition, signal } = owned
    while (!signal.aborted) {
      try {
        await this.#readOnce(owned)
      } catch (error) {
        // No longer ours: the next assignment is on its way.
        if (error instanceof KafkaFailure && error.kind === 'superseded') return
        if (!(error instanceof ReopenPartition)) throw error
        log.warn({ partition, reason: error.message }, 'starting again from the committed offset')
        await clock.sleep(retryMs, signal)
      }
    }
  }

  /** One life of a worker: until the assignment is over, or it can't go on. */
  async #readOnce({ partition, assignment, membership, fetcher, signal: owned }: OwnedPartition): Promise<void> {
    const start = await this.#startWhenReachable(partition, owned)
    if (!start || owned.aborted) return
    const life = new AbortController()
    const signal = AbortSignal.any([owned, life.signal])
    const opening = this.#options.open({
      partition,
      start,
      signal,
      commit: progress => membership.commit(assignment, partition, toCommitted(progress)),
    })
    const worker = await opening.catch((error: unknown) => {
      // Given up half-way, with nothing taken: whoever opens it next meets what is really wrong.
      if (!owned.aborted) throw error
      return null
    })
    if (!worker) return
    const share = Math.floor(fetchLimits.together / assignment.partitions.length)
    const maxBytes = Math.max(fetchLimits.least, Math.min(share, fetchLimits.most))
    const following = this.#follow({ partition, start, worker, fetcher, maxBytes, signal })
    try {
      await (worker.failed ? Promise.race([following, worker.failed]) : following)
    } finally {
      life.abort()
      await worker.close()
      // A fetch under way ends within its own wait; it must not hand its records to a worker that is closed.
      await following.catch(() => {})
    }
  }

  async #follow({
    partition,
    start,
    worker,
    fetcher,
    maxBytes,
    signal,
  }: {
    readonly partition: number
    readonly start: Progress
    readonly worker: PartitionWorker<R>
    readonly fetcher: Fetcher
    readonly maxBytes: number
    readonly signal: AbortSignal
  }): Promise<void> {
    const { topic, log, clock } = this.#options
    let last = { n: start.n, pos: start.pos }
    let offset = start.offset
    // Not awaited within: whoever waits would hold what was fetched until the worker has room for more.
    const handOn = ({ records, next }: Awaited<ReturnType<Fetcher['read']>>): Promise<void> | null => {
      if (signal.aborted) return null
      const read = this.#checked(partition, records, last)
      offset = next
      const newest = read.at(-1)
      if (!newest) return null
      last = this.#options.numbering.place(newest.record)
      return worker.take(read)
    }
    while (!signal.aborted) {
      const { taken } = await fetcher.read({ topic, partition, offset, maxBytes }).then(
        answer => ({ taken: handOn(answer) }),
        async (error: unknown) => {
          if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
          log.warn({ err: error, partition }, 'fetch failed; asking again')
          await clock.sleep(retryMs, signal)
          return { taken: null }
        },
      )
      if (taken) await taken
    }
  }

  /** The records decoded, each proven to come after the one before it. @throws Stop `log-order`, `undecodable-record` */
  #checked(partition: number, records: readonly KafkaRecord[], before: Place): ReadRecord<R>[] {
    const { topic, numbering } = this.#options
    let last = before
    return records.map(({ offset, value }) => {
      const record = decoded(numbering, value, () => `${topic}-${partition} offset ${offset}`)
      const place = numbering.place(record)
      const problem = numbering.problem(last, place)
      if (problem !== null)
        throw refuse(
          'log-order',
          `${topic}-${partition} offset ${offset}: ${problem}; nothing was taken from it on; ${numbering.wayOut}`,
          { topic, partition, offset },
        )
      last = place
      return { offset, record, value }
    })
  }

  /** A broker that has just been told that it leads answers later; null when nobody waits any more. */
  async #startWhenReachable(partition: number, signal: AbortSignal): Promise<Progress | null> {
    const { log, clock } = this.#options
    while (!signal.aborted) {
      try {
        return await this.#start(partition)
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
        log.warn({ err: error, partition }, 'the committed offset could not be checked; asking again')
        await clock.sleep(retryMs, signal)
      }
    }
    return null
  }

  /** Where to start, or a Stop: an offset that is missing, foreign, out of range, or of another log. */
  async #start(partition: number): Promise<Progress> {
    const { kafka, group, topic, numbering } = this.#options
    const where = `group ${group}, ${topic}-${partition}`
    const fromTheBeginning = `read it from its beginning with: settle replay --group ${serviceOfGroup(group)} --to start`
    const committed = (await kafka.committed({ group, topic })).get(partition)
    if (!committed)
      throw refuse(
        'offset-missing',
        `${where}: no committed offset: the stream is new, or its topic was made again; run: settle init`,
      )
    const start = fromCommitted(committed)
    if (!start)
      throw refuse(
        'offset-foreign',
        `${where}: offset ${committed.offset} carries metadata ${JSON.stringify(committed.metadata)}, which no reader of ours wrote; ${fromTheBeginning}`,
      )
    const { low, end } = (await kafka.bounds(topic)).get(partition) ?? { low: 0n, end: 0n }
    if (start.offset < low || start.offset > end)
      throw refuse(
        'offset-out-of-range',
        `${where}: offset ${start.offset} is outside what the topic holds, ${low} to ${end}: the topic was remade. See that KAFKA_BROKERS is right; then ${fromTheBeginning}`,
      )
    const [before] = await kafka.readTail({ topic, partition, count: 1, before: start.offset })
    const place = before
      ? numbering.place(decoded(numbering, before.value, () => `${topic}-${partition} offset ${before.offset}`))
      : { n: 0n, pos: 0n }
    if (place.n !== start.n || place.pos !== start.pos)
      throw refuse(
        'offset-other-log',
        `${where}: the record before offset ${start.offset} is n=${place.n} pos=${place.pos}, but the group read n=${start.n} pos=${start.pos} there: the topic was remade. See that KAFKA_BROKERS is right; then ${fromTheBeginning}`,
      )
    return start
  }
}

/** @throws Stop `undecodable-record`, with what an operator does then */
export const decoded = <R>(
  { decode, wayOut }: Pick<Numbering<R>, 'decode' | 'wayOut'>,
  value: Buffer,
  where: () => string,
): R => {
  try {
    return decode(value)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw refuse('undecodable-record', `${where()}: ${error.message}; nothing was taken from it on; ${wayOut}`)
  }
}
