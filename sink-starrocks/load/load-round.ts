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
export type RoundState = 'waiting' | 'loading' | 'committing' | 'over'

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

  /** A batch is committed while the next is being loaded: what is loaded and not committed is loaded again, no harm done. */
  async #loop(): Promise<void> {
    const { events, clock } = this.#options
    let committed: Promise<void> = Promise.resolve()
    try {
      for (;;) {
        events.state('waiting')
        const cause = await this.#buffer.due(this.#stop.signal)
        if (cause === null) return
        const batch = this.#buffer.take()
        const startedMs = clock.monotonicMs()
        events.state('loading')
        if ((await this.#load(batch)) === 'abandoned') return
        events.state('committing')
        await committed
        committed = this.#commitAll(batch).then(
          () => events.flushed(batch, cause, clock.monotonicMs() - startedMs),
          error => this.#fail(error),
        )
      }
    } finally {
      this.#stop.abort()
      await committed
      events.state('over')
    }
  }

  #fail(error: unknown): void {
    this.#stop.abort()
    this.#failed.reject(error)
  }

  async #commitAll({ progress }: Batch): Promise<void> {
    await Promise.all([...progress].map(([owner, each]) => this.#commit(owner, each)))
  }

  /** All tables of a batch, a few at a time; the first that fails stops the others before their next attempt. */
  async #load(batch: Batch): Promise<'durable' | 'abandoned'> {
    const failed = new AbortController()
    const stop = AbortSignal.any([this.#stop.signal, failed.signal])
    const batchId = this.#options.newBatchId()
    const waiting = batch.tables
    const results: ('durable' | 'abandoned')[] = []
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && !failed.signal.aborted; next = waiting.shift())
        results.push(await this.#loadOne(batch.bodyOf(next), { batchId, stop }))
    }
    const lanes = Array.from({ length: limits.tablesInFlight }, () =>
      lane().catch((error: unknown) => {
        failed.abort()
        throw error
      }),
    )
    const ended = await Promise.allSettled(lanes)
    for (const each of ended) if (each.status === 'rejected') throw each.reason
    return results.includes('abandoned') ? 'abandoned' : 'durable'
  }

  async #loadOne(
    { table, rows, form, body }: TableBody,
    { batchId, stop }: { readonly batchId: string; readonly stop: AbortSignal },
  ): Promise<'durable' | 'abandoned'> {
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
      stop,
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
