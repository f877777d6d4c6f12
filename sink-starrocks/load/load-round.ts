import pLimit from 'p-limit'
import type { UserRecord } from '../../core/events.ts'
import type { Clock } from '../../runtime/clock.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import type { PartitionWorker, ReadRecord } from '../../runtime/reader/reader.ts'
import type { LoadVerdict, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import { mergeConditions, tableNamed } from '../../schemas/starrocks/tables.ts'
import type { Batch, ProgressOwner, TableBody } from './batch.ts'
import type { DisplayUnits } from './display-units.ts'
import { limits } from './limits.ts'
import { loadTable } from './load-table.ts'
import { type FlushCause, type FlushRule, RowBuffer } from './row-buffer.ts'
import { rowsOf } from './rows.ts'

/** What the loop does now. */
export type RoundState = 'waiting' | 'loading' | 'over'

/** Of a load, or of a batch and all before it; `abandoned`: whoever reads on sends the rows again. */
type Outcome = 'durable' | 'abandoned'

export type RoundOptions = {
  readonly port: StreamLoadPort
  readonly clock: Clock
  readonly log: Log
  readonly stream: string
  readonly database: string
  readonly rule: FlushRule
  readonly units: DisplayUnits
  /** A word that no other batch has, `[-\w]`, at most 64 characters. */
  readonly newBatchId: () => string
  readonly events: RoundEvents
}

/** What a round tells whoever keeps its metrics and health. */
export interface RoundEvents {
  state(state: RoundState): void
  taken(records: number, bufferedRows: number): void
  verdict(table: string, verdict: LoadVerdict): void
  loaded(table: string, rows: number): void
  committed(partition: number, progress: Progress): void
  flushed(batch: Batch, cause: FlushCause, tookMs: number): void
}

/**
 * One life of the partitions that an assignment gave us: they share a buffer and the loop that empties it. It ends
 * when all of them have closed; what was not loaded by then is read again by whoever owns them next.
 */
export class LoadRound {
  readonly #options: RoundOptions
  readonly #buffer: RowBuffer
  readonly #open = new Set<LoadPartition>()
  readonly #lanes = pLimit(limits.tablesInFlight)
  /** Batches that are loaded or committed. */
  #underWay = 0
  readonly #stop = new AbortController()
  readonly #cut = new AbortController()
  readonly #over: Promise<void>
  readonly #failed = Promise.withResolvers<never>()

  constructor(options: RoundOptions) {
    this.#options = options
    this.#buffer = new RowBuffer(options.clock, options.rule)
    // Readers race it with their own work; without one nobody needs to hear.
    this.#failed.promise.catch(() => {})
    this.#over = this.#loop().catch((error: unknown) => this.#fail(error))
  }

  /** No partition is left, or the loop failed: the next partition needs a new round. */
  get isEnding(): boolean {
    return this.#stop.signal.aborted
  }

  open(
    partition: number,
    { commit, signal }: { readonly commit: (progress: Progress) => Promise<void>; readonly signal: AbortSignal },
  ): PartitionWorker<UserRecord> {
    const worker = new LoadPartition({
      partition,
      commit,
      signal,
      take: this.#take,
      close: this.#close,
      failed: this.#failed.promise,
    })
    this.#open.add(worker)
    return worker
  }

  readonly #take = async (owner: LoadPartition, records: readonly ReadRecord<UserRecord>[]): Promise<void> => {
    for (const { offset, record } of records) {
      const rows = this.#rowsOf(record)
      const progress = { offset: offset + 1n, n: record.n, pos: record.pos }
      await this.#buffer.add(owner, progress, { rows, signal: owner.signal })
      if (owner.signal.aborted) return
    }
    this.#options.events.taken(records.length, this.#buffer.batch.rows)
  }

  #rowsOf(record: UserRecord): ReturnType<typeof rowsOf> {
    try {
      return rowsOf(record, this.#options.units)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw refuse('time-range', `record n=${record.n} pos=${record.pos} of user.outputs: ${error.message}`)
    }
  }

  /**
   * The last to close ends the loop and waits for it. The others leave at once: waiting for their peers here would
   * hang a reader that closes one partition after the other. Their rows stay in the buffer, harmless.
   */
  readonly #close = async (worker: LoadPartition): Promise<void> => {
    this.#open.delete(worker)
    if (this.#open.size > 0) return
    this.#stop.abort()
    const grace = new AbortController()
    const cutting = this.#options.clock.sleep(limits.closeWithinMs, grace.signal).then(() => this.#cut.abort())
    await this.#over
    grace.abort()
    await cutting
  }

  /** The next batch begins once all tables of this one have: no lane stands idle, and two are under way at most. */
  async #loop(): Promise<void> {
    const { events, clock } = this.#options
    let before: Promise<Outcome> = Promise.resolve('durable')
    try {
      for (;;) {
        const cause = await this.#buffer.due(this.#stop.signal)
        if (cause === null) return
        const batch = this.#buffer.take()
        const startedMs = clock.monotonicMs()
        const { allBegun, loaded } = this.#load(batch)
        this.#underWay++
        events.state('loading')
        const committed = () => events.flushed(batch, cause, clock.monotonicMs() - startedMs)
        before = this.#commitAfter(Promise.all([before, loaded]), { batch, committed })
        await allBegun
      }
    } finally {
      this.#stop.abort()
      await before
      events.state('over')
    }
  }

  /** Once all its rows are visible, and those of every batch before: its progress stands for them too. */
  async #commitAfter(
    outcomes: Promise<readonly Outcome[]>,
    { batch, committed }: { readonly batch: Batch; readonly committed: () => void },
  ): Promise<Outcome> {
    try {
      if ((await outcomes).includes('abandoned')) return 'abandoned'
      await Promise.all([...batch.progress].map(([owner, progress]) => this.#commit(owner, progress)))
      committed()
      return 'durable'
    } catch (error) {
      this.#fail(error)
      return 'abandoned'
    } finally {
      this.#underWay--
      this.#options.events.state(this.#underWay > 0 ? 'loading' : 'waiting')
    }
  }

  #fail(error: unknown): void {
    this.#stop.abort()
    this.#failed.reject(error)
  }

  /** All tables of a batch, as lanes become free; the first that fails stops the others before their next attempt. */
  #load(batch: Batch): { readonly allBegun: Promise<void>; readonly loaded: Promise<Outcome> } {
    const batchId = this.#options.newBatchId()
    const { tables } = batch
    const begun = Promise.withResolvers<void>()
    if (tables.length === 0) begun.resolve()
    const loads = tables.map((table, index) =>
      this.#lanes(async (): Promise<Outcome> => {
        if (index === tables.length - 1) begun.resolve()
        if (this.#stop.signal.aborted) return 'abandoned'
        try {
          return await this.#loadOne(batch.bodyOf(table), batchId)
        } catch (error) {
          this.#fail(error)
          return 'abandoned'
        }
      }),
    )
    const loaded = Promise.all(loads).then(outcomes => (outcomes.includes('abandoned') ? 'abandoned' : 'durable'))
    return { allBegun: begun.promise, loaded }
  }

  async #loadOne({ table, rows, form, body }: TableBody, batchId: string): Promise<Outcome> {
    const { port, clock, stream, database, events } = this.#options
    const mergeCondition = mergeConditions[table]
    const result = await loadTable({
      port,
      clock,
      request: {
        database,
        table,
        label: `${stream}_${table}_${batchId}`,
        columns: tableNamed(table).columns.map(({ name }) => name),
        form,
        body,
        rows,
        ...(mergeCondition !== undefined && { mergeCondition }),
      },
      stop: this.#stop.signal,
      cut: this.#cut.signal,
      onVerdict: (name, verdict) => events.verdict(name, verdict),
    })
    if (result === 'durable') events.loaded(table, rows)
    return result
  }

  async #commit(owner: ProgressOwner, progress: Progress): Promise<void> {
    const { clock, log, events } = this.#options
    const startedMs = clock.monotonicMs()
    for (;;) {
      try {
        await owner.commit(progress)
        events.committed(owner.partition, progress)
        return
      } catch (error) {
        // Another owner reads on from the commit before; it loads the same rows again.
        if (error instanceof KafkaFailure && error.kind === 'superseded') return
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
        if (this.#stop.signal.aborted) return
        if (clock.monotonicMs() - startedMs > limits.commitWithinMs)
          throw new Stop({
            code: 'commit-gave-up',
            reason: 'failed',
            message: `partition ${owner.partition}: progress could not be committed in ${limits.commitWithinMs} ms: ${error.message}`,
            cause: error,
          })
        log.warn({ err: error, partition: owner.partition }, 'progress not committed; trying again')
        await clock.sleep(limits.longestBackoffMs / 10, this.#stop.signal)
      }
    }
  }
}

type PartitionOptions = {
  readonly partition: number
  readonly commit: (progress: Progress) => Promise<void>
  readonly signal: AbortSignal
  readonly take: (owner: LoadPartition, records: readonly ReadRecord<UserRecord>[]) => Promise<void>
  readonly close: (owner: LoadPartition) => Promise<void>
  readonly failed: Promise<never>
}

class LoadPartition implements PartitionWorker<UserRecord>, ProgressOwner {
  readonly partition: number
  readonly signal: AbortSignal
  /** Rejects when the round's loop fails. */
  readonly failed: Promise<never>
  readonly #options: PartitionOptions
  #state: 'open' | 'closed' = 'open'

  constructor(options: PartitionOptions) {
    this.partition = options.partition
    this.signal = options.signal
    this.failed = options.failed
    this.#options = options
  }

  take(records: readonly ReadRecord<UserRecord>[]): Promise<void> {
    return this.#options.take(this, records)
  }

  /** @throws KafkaFailure */
  commit(progress: Progress): Promise<void> {
    return this.#options.commit(progress)
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    await this.#options.close(this)
  }
}
