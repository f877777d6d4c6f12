import { z } from 'zod'
import { cqlSettings, kafkaSettings, setting } from '../../runtime/settings.ts'

const whole = (fallback: string, bounds: { readonly min: number; readonly max: number }) =>
  z.string().default(fallback).pipe(setting.integer(bounds))

/** What settle is told besides the common settings. */
export const settleSettings = {
  ...kafkaSettings,
  ...cqlSettings,
  /** P of user.outputs. */
  PARTITIONS: setting.integer({ min: 1, max: 10_000 }),
  /** Where the tables are; the stream's own keyspace unless a rebuild writes another. */
  CQL_KEYSPACE: z.string().default(''),
  /** The group that reads; the stream's own unless a rebuild reads beside it. */
  SETTLE_GROUP: z.string().default(''),
  /** The store's commit-log sync period; an acknowledged write may be lost with a node's power for that long. */
  STORE_SYNC_MS: whole('10000', { min: 0, max: 600_000 }),
  STORE_SYNC_MARGIN_MS: whole('2000', { min: 0, max: 600_000 }),
  COMMIT_INTERVAL_MS: whole('500', { min: 10, max: 60_000 }),
  /** Balances, open orders and their cells kept in memory, over all partitions of this instance. */
  CACHE_CELLS: whole('200000', { min: 100, max: 100_000_000 }),
  /** Requests to the store under way at once. */
  IN_FLIGHT: whole('128', { min: 1, max: 4096 }),
  /** Most records in one batch of one partition. */
  BATCH_RECORDS: whole('500', { min: 1, max: 100_000 }),
}
