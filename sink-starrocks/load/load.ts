import type { Registry } from 'prom-client'
import type { UserRecord } from '../../core/events.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { userNumbering } from '../../runtime/reader/numbering.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { type OpenPartition, Reader } from '../../runtime/reader/reader.ts'
import type { Service } from '../../runtime/service.ts'
import type { LoadVerdict, StreamLoadPort } from '../../runtime/starrocks/stream-load-port.ts'
import { SqlFailure } from '../../runtime/starrocks/sql-port.ts'
import { Stop } from '../../runtime/stop.ts'
import type { Batch } from './batch.ts'
import { DisplayUnits, type KnownReference } from './display-units.ts'
import { limits } from './limits.ts'
import { type LoadMetrics, loadMetrics } from './metrics.ts'
import { LoadRound, type RoundEvents, type RoundState } from './load-round.ts'
import type { FlushCause, FlushRule } from './row-buffer.ts'
import { unreachable } from './unreachable.ts'

export type LoadServiceOptions = {
  readonly kafka: KafkaPort
  readonly streamLoad: StreamLoadPort
  /** The reference data that StarRocks holds: it is durable there before the offset that passed it was committed. */
  readonly readReference: () => Promise<KnownReference>
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Registry
  readonly names: StreamNames
  readonly partitions: number
  readonly rule: FlushRule
  readonly newBatchId: () => string
}

const roundStates: readonly RoundState[] = ['waiting', 'loading', 'over']

/** `user.outputs` → StarRocks: rows durable, then progress committed; any row may be loaded again, to the same effect. */
export class LoadService implements Service, RoundEvents {
  readonly #options: LoadServiceOptions
  readonly #reader: Reader<UserRecord>
  readonly #metrics: LoadMetrics
  readonly #units = new DisplayUnits()
  readonly #committed = new Map<number, Progress>()
  #round: LoadRound | null = null
  #state: RoundState = 'over'
  #stateSinceMs = 0
  #trouble: string | null = null

  constructor(options: LoadServiceOptions) {
    this.#options = options
    this.#metrics = loadMetrics(options.metrics, { clock: options.clock, committed: () => this.#committed })
    this.#reader = new Reader({
      kafka: options.kafka,
      clock: options.clock,
      log: options.log,
      group: options.names.groups.load,
      topic: options.names.topics.users,
      partitions: options.partitions,
      numbering: userNumbering,
      open: this.#open,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#reader.run(signal)
    } catch (error) {
      this.#metrics.errors.inc({ code: error instanceof Stop ? error.code : 'unexpected' })
      throw error
    }
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const stateForMs = Math.round(this.#options.clock.monotonicMs() - this.#stateSinceMs)
    const isStuck = this.#state === 'loading' && stateForMs > limits.stuckAfterMs
    return {
      ok: this.#trouble === null && !isStuck,
      state: this.#state,
      stateForMs,
      partitions: this.#reader.owned,
      ...(this.#trouble !== null && { trouble: this.#trouble }),
      committed: Object.fromEntries([...this.#committed].map(([partition, { pos }]) => [partition, pos])),
    }
  }

  readonly #open: OpenPartition<UserRecord> = async ({ partition, start, commit, signal }) => {
    // Another instance may have read reference data that none of our partitions has come to yet.
    this.#units.learn(await this.#readReference(signal))
    if (this.#round === null || this.#round.isEnding) {
      this.#committed.clear()
      this.#round = this.#newRound()
    }
    this.#committed.set(partition, start)
    return this.#round.open(partition, { commit, signal })
  }

  async #readReference(signal: AbortSignal): Promise<KnownReference> {
    const { readReference, clock, log } = this.#options
    const startedMs = clock.monotonicMs()
    for (let backoffMs: number = limits.firstBackoffMs; !signal.aborted; backoffMs *= 2) {
      try {
        return await readReference()
      } catch (error) {
        if (!(error instanceof SqlFailure) || error.kind !== 'retriable') throw error
        if (clock.monotonicMs() - startedMs > limits.giveUpAfterMs) throw unreachable(error)
        this.#trouble = error.message
        log.warn({ err: error }, 'reference data not read; asking again')
        await clock.sleep(Math.min(backoffMs, limits.longestBackoffMs), signal)
      }
    }
    return { assets: [], symbols: [] }
  }

  #newRound(): LoadRound {
    const { streamLoad, clock, log, names, rule, newBatchId } = this.#options
    return new LoadRound({
      port: streamLoad,
      clock,
      log,
      stream: names.stream,
      database: names.database,
      rule,
      units: this.#units,
      newBatchId,
      events: this,
    })
  }

  state(state: RoundState): void {
    this.#state = state
    this.#stateSinceMs = this.#options.clock.monotonicMs()
    for (const each of roundStates) this.#metrics.state.set({ state: each }, each === state ? 1 : 0)
  }

  taken(records: number, bufferedRows: number): void {
    this.#metrics.records.inc(records)
    this.#metrics.bufferedRows.set(bufferedRows)
  }

  verdict(table: string, verdict: LoadVerdict): void {
    this.#metrics.attempts.inc({ table, verdict: verdict.kind })
    if (verdict.kind === 'done' || verdict.kind === 'committed') return
    this.#trouble = `table ${table}: ${verdict.reason}`
    this.#options.log.warn({ table, verdict: verdict.kind, reason: verdict.reason }, 'load not done')
  }

  loaded(table: string, rows: number): void {
    this.#metrics.rows.inc({ table }, rows)
  }

  committed(partition: number, progress: Progress): void {
    this.#committed.set(partition, progress)
  }

  flushed(batch: Batch, cause: FlushCause, tookMs: number): void {
    const { clock, log } = this.#options
    this.#trouble = null
    this.#metrics.flushSeconds.observe({ cause }, tookMs / 1000)
    if (batch.oldestPos !== null) this.#metrics.freshnessSeconds.observe(Number(clock.nowUs() - batch.oldestPos) / 1e6)
    log.debug({ rows: batch.rows, records: batch.records, cause, tookMs: Math.round(tookMs) }, 'flushed')
  }
}
