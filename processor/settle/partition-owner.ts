import type { Barrier, UserRecord } from '../../core/events.ts'
import type { UserId } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CqlPort, CqlStatement } from '../../runtime/cql/port.ts'
import { KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import { type Place, userNumbering } from '../../runtime/reader/numbering.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { decoded, type PartitionWorker, type ReadRecord, ReopenPartition } from '../../runtime/reader/reader.ts'
import type { UserOutline } from '../../schemas/codec.ts'
import type { BucketRules } from '../../schemas/cql/placement.ts'
import { BarrierCommits } from './barrier-commits.ts'
import {
  BatchFold,
  type BatchRows,
  type FoldNews,
  type PartitionState,
  type RowGroups,
  type Waiting,
} from './batch-fold.ts'
import type { BatchPlaces } from './batch-places.ts'
import { CellCache } from './cell-cache.ts'
import type { Conservation } from './conservation.ts'
import { readBucket } from './history-buckets.ts'
import type { Pack } from './history-rows.ts'
import { holdWallets } from './hold-wallets.ts'
import { settleLimits } from './limits.ts'
import { LogReread } from './log-reread.ts'
import type { NodeWatch } from './node-watch.ts'
import { loadParked } from './parked-users.ts'
import { RecordQueue, type WaitingRecords } from './record-queue.ts'
import { lowestPos, replayUsers } from './replay-users.ts'
import type { SettleMetrics } from './settle-metrics.ts'
import type { ReplayOutcome } from './user-replay.ts'

export type OwnerOptions = {
  readonly partition: number
  readonly partitions: number
  readonly start: Progress
  readonly commit: (progress: Progress) => Promise<void>
  /** Aborted when the partition is no longer ours. */
  readonly signal: AbortSignal
  readonly kafka: KafkaPort
  readonly topic: string
  readonly cql: CqlPort
  readonly clock: Clock
  readonly log: Log
  readonly metrics: SettleMetrics
  readonly watch: NodeWatch
  /** Only the owner of partition 0 has it. */
  readonly conservation: Conservation | null
  readonly batchRecords: number
  /** The batches under way of all partitions: each has its place from before it is folded until it is acknowledged. */
  readonly batches: BatchPlaces
  /** Writes of one batch under way at once: its share of the requests to the store. */
  readonly writesAtOnce: number
  readonly cacheCells: number
  readonly buckets: BucketRules
  /** From a barrier's acknowledgement to its commit: the store's sync period and a margin. */
  readonly holdMs: number
  readonly commitIntervalMs: number
}

type OwnerState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'reading-again' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What is left of a batch once it is folded, beside its history: of its records, no more than its end and its barriers. */
type Batch = Pick<BatchRows, 'cells' | 'wallets'> & {
  readonly barriers: readonly { readonly barrier: Barrier; readonly offset: bigint }[]
  readonly last: Place
}

type Folded = { readonly history: BatchRows['history']; readonly batch: Batch }

/**
 * One partition for as long as it is owned. Records queue up; what queued while the last batch was folded, or waited for
 * its place, is the next one. Each batch goes through: wallets loaded → folded → history acknowledged → cells
 * acknowledged → its barriers held → committed. Batches are folded, and their history is written, while those before
 * them are being written; cells of two batches never are under way together.
 */
export class PartitionOwner implements PartitionWorker<UserOutline> {
  readonly #options: OwnerOptions
  readonly #cache: CellCache
  readonly #pack: Pack = row => this.#options.cql.pack(row)
  readonly #commits: BarrierCommits
  readonly #state: PartitionState
  readonly #queue = new RecordQueue()
  readonly #failure = Promise.withResolvers<never>()
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  /** Outlives `#signal` by the drain: writes under way may still be acknowledged. */
  readonly #giveUp = new AbortController()
  readonly #reread: LogReread
  #loop: OwnerState = { kind: 'opening' }
  /** From the first acknowledged batch on: whoever watches sees when a partition has been taken over. */
  #isAtWork = false
  #wake = Promise.withResolvers<void>()
  #taken = Promise.withResolvers<void>()
  /** Every batch folded so far is acknowledged. */
  #written: Promise<void> = Promise.resolve()
  #running: Promise<unknown> = Promise.resolve()

  private constructor(options: OwnerOptions, commits: BarrierCommits, parked: PartitionState['parked']) {
    this.#options = options
    this.#cache = new CellCache({ maxCells: options.cacheCells })
    this.#commits = commits
    const { partition, start } = options
    this.#state = { partition, sums: new Map(), lastBarrier: start.pos, parked }
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal])
    // A `take` that waits for room would wait for ever: nothing is taken from the queue from here on.
    this.#signal.addEventListener('abort', () => this.#wakeAll(), { once: true })
    this.#reread = new LogReread({ ...options, signal: this.#signal })
    this.#failure.promise.catch(() => {})
  }

  static async open(options: OwnerOptions): Promise<PartitionOwner> {
    const { cql, partition, partitions, start, metrics } = options
    const commits = await BarrierCommits.open(options)
    const parked = await loadParked({ cql, partition, partitions, upTo: start.pos, signal: options.signal })
    metrics.parked.set({ partition }, parked.size)
    const owner = new PartitionOwner(options, commits, parked)
    const fail = (error: unknown): void => owner.#fail(error)
    owner.#running = Promise.all([owner.#settle().catch(fail), commits.run(owner.#signal).catch(fail)])
    return owner
  }

  get failed(): Promise<never> {
    return this.#failure.promise
  }

  /** For /healthz. */
  get status(): { readonly state: string; readonly queued: number; readonly held: number; readonly parked: number } {
    return {
      state: this.#loop.kind,
      queued: this.#queue.length,
      held: this.#commits.held,
      parked: this.#state.parked.size,
    }
  }

  /** Holds nothing of the records while it waits for room. */
  take(records: readonly ReadRecord<UserOutline>[]): Promise<void> {
    this.#queue.add(records)
    this.#wake.resolve()
    return this.#room()
  }

  async #room(): Promise<void> {
    const most = this.#options.batchRecords * settleLimits.queuedBatches
    while (this.#queue.length >= most && !this.#signal.aborted) await this.#taken.promise
  }

  async close(): Promise<void> {
    this.#end()
    const drained = new AbortController()
    const late = this.#options.clock.sleep(settleLimits.drainMs, drained.signal).then(() => this.#giveUp.abort())
    await this.#running
    drained.abort()
    await late
    await this.#reread.close()
    this.#enter({ kind: 'closed' })
  }

  async #settle(): Promise<void> {
    for (;;) {
      const folded = await this.#foldNext()
      if (!folded) return this.#written
      this.#written = this.#writeBatch(folded)
      // Awaited by the next batch; until then a failure must not go unheard.
      this.#written.catch((error: unknown) => this.#fail(error))
    }
  }

  /** Null when the owner ends; else the batch has its place among those under way. */
  async #nextBatch(): Promise<WaitingRecords | null> {
    const { batches, batchRecords, partition } = this.#options
    this.#enter({ kind: 'waiting' })
    while (this.#queue.oldest === null && !this.#signal.aborted) {
      await this.#wake.promise
      this.#wake = Promise.withResolvers()
    }
    const { oldest } = this.#queue
    if (oldest === null || this.#signal.aborted) return null
    const place = batches.enter({ partition, oldest, signal: this.#signal })
    if (place) await place
    if (this.#signal.aborted) {
      batches.leave(partition)
      return null
    }
    const records = this.#queue.take(batchRecords)
    this.#taken.resolve()
    this.#taken = Promise.withResolvers()
    return records
  }

  /** Nothing of the records, nor of their bytes, is left when it returns: rows of thousands wait, and only they. */
  async #foldNext(): Promise<Folded | null> {
    const records = await this.#nextBatch()
    if (!records) return null
    try {
      return await this.#fold(records)
    } catch (error) {
      this.#options.batches.leave(this.#options.partition)
      throw error
    }
  }

  async #fold(unread: WaitingRecords): Promise<Folded> {
    this.#enter({ kind: 'loading' })
    const { buckets, clock, cql, topic, partition, metrics } = this.#options
    const wallets = await holdWallets(unread.outlines(), {
      cql,
      cache: this.#cache,
      signal: this.#giveUp.signal,
      proveReads: () => this.#commits.proveReads(),
    })
    const fold = new BatchFold({ state: this.#state, cache: this.#cache, wallets, buckets, pack: this.#pack })
    const barriers: { barrier: Barrier; offset: bigint }[] = []
    const kinds = new Map<UserRecord['kind'], number>()
    let newest: UserRecord | null = null
    let taken = 0
    // Each is decoded in its turn: as rows it is bytes again before the next one is.
    for (const { offset, value } of unread) {
      const record = decoded(userNumbering, value, () => `${topic}-${partition} offset ${offset}`)
      fold.take(record)
      if (record.kind === 'Barrier') barriers.push({ barrier: record, offset })
      kinds.set(record.kind, (kinds.get(record.kind) ?? 0) + 1)
      newest = record
      if (++taken % settleLimits.foldedATurn === 0) await clock.sleep(0)
    }
    // What awaits may outlive the batch in the old generation, and would keep their bytes there.
    unread.clear()
    for (const [kind, count] of kinds) metrics.records.inc({ kind }, count)
    // Each round brings every user that waits at least one record further, from what the store has of those before.
    while (fold.waiting.size > 0) {
      this.#enter({ kind: 'reading-again' })
      await this.#written
      await this.#write('history', fold.drainHistory())
      const { waiting } = fold
      const outcomes = await this.#readAgain(waiting)
      for (const [user, outcome] of outcomes) fold.resolve(user, outcome)
    }
    const { history, cells, wallets: held, news } = fold.rows()
    for (const each of news) this.#tell(each)
    const lastBarrier = barriers.at(-1)?.barrier
    if (lastBarrier) this.#commits.read(lastBarrier.n)
    const last = userNumbering.place(newest as UserRecord)
    return { history, batch: { cells, wallets: held, barriers, last } }
  }

  /** What the log says of users that wait. It may take long, and nobody else waits for it: meanwhile the batch has no place. */
  async #readAgain(waiting: ReadonlyMap<UserId, Waiting>): Promise<ReadonlyMap<UserId, ReplayOutcome>> {
    const { buckets, cql, batches, partition } = this.#options
    batches.leave(partition)
    try {
      return await replayUsers({
        waiting,
        reread: this.#reread,
        buckets,
        pack: this.#pack,
        readBucket: place => readBucket(cql, place, this.#giveUp.signal),
        writeHistory: async groups => {
          await this.#commits.proveReads()
          await this.#write('history', groups)
        },
      })
    } finally {
      const oldest = lowestPos([...waiting.values()].map(({ cause }) => cause.pos))
      await batches.enter({ partition, oldest, signal: this.#signal })
    }
  }

  #tell(news: FoldNews): void {
    const { metrics, log, partition } = this.#options
    const { user } = news
    metrics.parked.set({ partition }, this.#state.parked.size)
    switch (news.kind) {
      case 'parked':
        metrics.parkings.inc({ code: news.refusal.kind })
        log.error({ partition, user, pos: news.pos, code: news.refusal.kind }, `user parked: ${news.refusal.message}`)
        return
      case 'healed':
        metrics.heals.inc({ by: news.cause.kind })
        log.warn({ partition, user, pos: news.cause.pos, by: news.cause.kind }, 'user settled again from the log')
        return
      case 'still-parked':
        log.error(
          { partition, user, pos: news.cause.pos, by: news.cause.kind },
          `does not heal the user: ${news.refusal.message}`,
        )
    }
  }

  /**
   * The batch's share of the requests under way: a group that waits here is bytes, one that waits for the store much more.
   * A group is let go of once it is on its way, whoever still has the list. Whatever fails ends the owner: nothing more
   * is begun.
   */
  #write(phase: 'history' | 'cells', groups: RowGroups): Promise<void> {
    const { cql, metrics, writesAtOnce } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const rows = groups.reduce((sum, { length }) => sum + length, 0)
    let next = 0
    let left = groups.length
    // No loop that awaits each write: it would outlive them, be moved to the old generation, and keep the last of them there.
    const begin = (): void => {
      const statements = groups[next]
      if (!statements) return
      groups[next++] = onItsWay
      cql.write(statements, this.#giveUp.signal).then(end, fail)
    }
    const end = (): void => {
      if (--left > 0) return begin()
      metrics.rows.inc({ phase }, rows)
      resolve()
    }
    const fail = (error: unknown): void => {
      next = groups.length
      reject(error)
    }
    if (left === 0) resolve()
    for (let at = 0; at < writesAtOnce; at++) begin()
    return promise
  }

  /** Nobody who waits for the cells holds the rows of the history, which may be acknowledged long before. */
  #writeBatch({ history, batch }: Folded): Promise<void> {
    return this.#writeCells(batch, { history: this.#write('history', history), before: this.#written })
  }

  /**
   * Once the batch's history is acknowledged, and the batch `before` with all that it has. Gives the batch's place back
   * at its end, whatever that is.
   */
  async #writeCells(
    { cells, wallets, barriers, last }: Batch,
    { history, before }: { readonly history: Promise<void>; readonly before: Promise<void> },
  ): Promise<void> {
    const { clock, metrics, log, partition, conservation, batches } = this.#options
    try {
      await history
      await before
      await this.#write('cells', cells)
    } finally {
      batches.leave(partition)
    }
    if (!this.#isAtWork) {
      this.#isAtWork = true
      const { n, pos } = last
      log.info({ partition, n, pos }, 'first batch acknowledged')
    }
    for (const { barrier, offset } of barriers) {
      this.#commits.acknowledged({ offset: offset + 1n, n: barrier.n, pos: barrier.pos })
      conservation?.add(barrier)
    }
    for (const wallet of wallets) this.#cache.release(wallet)
    this.#cache.evict()
    metrics.batches.inc()
    metrics.lastPos.set({ partition }, Number(last.pos))
    metrics.lagSeconds.set({ partition }, Number(clock.nowUs() - last.pos) / 1e6)
    metrics.cells.set({ partition }, this.#cache.size)
  }

  #fail(error: unknown): void {
    // What was given up because we are closing is no failure.
    if (this.#signal.aborted) return
    const { metrics } = this.#options
    if (error instanceof ReopenPartition) metrics.restarts.inc()
    else metrics.errors.inc({ code: codeOf(error) })
    this.#enter({ kind: 'failed', error })
    this.#failure.reject(error)
    this.#end()
  }

  #end(): void {
    this.#stop.abort()
    this.#wakeAll()
  }

  #wakeAll(): void {
    this.#wake.resolve()
    this.#taken.resolve()
  }

  #enter(state: OwnerState): void {
    const { metrics, partition } = this.#options
    metrics.state.set({ partition, state: this.#loop.kind }, 0)
    metrics.state.set({ partition, state: state.kind }, 1)
    this.#loop = state
  }
}

/** In the place of a group that was sent. */
const onItsWay: readonly CqlStatement[] = []

const codeOf = (error: unknown): string => {
  if (error instanceof KafkaFailure) return error.kind
  return error instanceof Error && 'code' in error ? String(error.code) : 'unexpected'
}
