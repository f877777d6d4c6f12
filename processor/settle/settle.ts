import type { Clock } from '../../runtime/clock.ts'
import { CqlFailure, type CqlPort } from '../../runtime/cql/port.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import { userOutlines } from '../../runtime/reader/numbering.ts'
import { Reader } from '../../runtime/reader/reader.ts'
import type { Service } from '../../runtime/service.ts'
import { Stop } from '../../runtime/stop.ts'
import type { UserOutline } from '../../schemas/codec.ts'
import { type BucketRules, bucketRules } from '../../schemas/cql/placement.ts'
import { BatchPlaces } from './batch-places.ts'
import { Conservation } from './conservation.ts'
import { NodeWatch } from './node-watch.ts'
import { PartitionOwner } from './partition-owner.ts'
import type { SettleMetrics } from './settle-metrics.ts'

export type SettleOptions = {
  readonly kafka: KafkaPort
  readonly cql: CqlPort
  readonly clock: Clock
  readonly log: Log
  readonly metrics: SettleMetrics
  readonly topic: string
  readonly group: string
  readonly partitions: number
  readonly storeSyncMs: number
  readonly storeSyncMarginMs: number
  readonly commitIntervalMs: number
  readonly cacheCells: number
  readonly batchRecords: number
  /** Batches under way at once, over all partitions. */
  readonly batchesAtOnce: number
  /** Requests to the store under way at once, shared out evenly to the batches. */
  readonly inFlight: number
  /** Other rules than those of the tables make another store: for tests, which have no million records. */
  readonly buckets?: BucketRules
}

/** `user.outputs` → ScyllaDB: reads the partitions that the group gives it, one owner for each. */
export class Settle implements Service {
  readonly #options: SettleOptions
  readonly #reader: Reader<UserOutline>
  readonly #owners = new Map<number, PartitionOwner>()
  readonly #conservation: Conservation

  constructor(options: SettleOptions) {
    this.#options = options
    const { kafka, cql, clock, log, metrics, topic, group, partitions } = options
    this.#conservation = new Conservation({ cql, clock, log, metrics, partitions })
    const watch = new NodeWatch({ cql, clock })
    const batches = new BatchPlaces(options.batchesAtOnce)
    this.#reader = new Reader<UserOutline>({
      kafka,
      clock,
      log,
      group,
      topic,
      partitions,
      numbering: userOutlines,
      open: async ({ partition, start, signal, commit }) => {
        const owner = await PartitionOwner.open({
          partition,
          partitions,
          start,
          signal,
          commit,
          kafka,
          topic,
          cql,
          clock,
          log,
          metrics,
          watch,
          batches,
          conservation: partition === 0 ? this.#conservation : null,
          batchRecords: options.batchRecords,
          writesAtOnce: Math.ceil(options.inFlight / options.batchesAtOnce),
          buckets: options.buckets ?? bucketRules,
          // Every partition might come to this instance.
          cacheCells: Math.max(1, Math.floor(options.cacheCells / partitions)),
          holdMs: options.storeSyncMs + options.storeSyncMarginMs,
          commitIntervalMs: options.commitIntervalMs,
        })
        this.#owners.set(partition, owner)
        log.info({ partition, offset: start.offset, n: start.n, pos: start.pos }, 'partition opened')
        return owner
      },
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { cql, storeSyncMs } = this.#options
    const toldMs = await cql.commitLogSyncMs()
    if (toldMs !== null && toldMs > storeSyncMs)
      throw new Stop({
        code: 'store-sync',
        reason: 'usage',
        message: `STORE_SYNC_MS=${storeSyncMs} is below the store's commit-log sync period of ${toldMs} ms: a power loss could lose what was committed; raise it to at least ${toldMs}`,
      })
    const stopping = new AbortController()
    const both = AbortSignal.any([signal, stopping.signal])
    const checking = this.#conservation.run(both)
    try {
      await this.#reader.run(signal)
    } catch (error) {
      throw error instanceof CqlFailure ? storeStop(error) : error
    } finally {
      stopping.abort()
      await checking
    }
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const partitions = Object.fromEntries(
      this.#reader.owned.map(partition => [partition, this.#owners.get(partition)?.status ?? { state: 'opening' }]),
    )
    return {
      ok: !this.#conservation.broken,
      owned: this.#reader.owned,
      partitions,
      conservation: { broken: this.#conservation.broken, open: this.#conservation.open },
    }
  }
}

const storeStop = (error: CqlFailure): Stop =>
  error.kind === 'refused'
    ? new Stop({
        code: 'store-refused',
        reason: 'refused',
        message: `${error.message}; nothing was committed past it: look at the store's log, and compare the tables by settle verify`,
        context: { error: error.code },
        cause: error,
      })
    : new Stop({
        code: 'store-silent',
        reason: 'failed',
        message: `${error.message}; bring the store back and start again: it goes on from the committed offset`,
        context: { error: error.code },
        cause: error,
      })
