import { z } from 'zod'
import { streamName } from '../runtime/names.ts'
import { cqlSettings, kafkaSettings, setting } from '../runtime/settings.ts'
import { starrocksSettings } from '../runtime/starrocks/settings.ts'

const whole = (fallback: number, min: number, max: number) =>
  z.string().default(`${fallback}`).pipe(setting.integer({ min, max }))

/** What every command is told: the same names as the services are. */
export const opsSettings = {
  STREAM: streamName,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('error'),
  /** P of `user.outputs`. */
  PARTITIONS: whole(12, 1, 1024),
}

/** What only `settle init` needs: how many copies of everything. */
export const replicationSettings = {
  REPLICATION_FACTOR: whole(1, 1, 15),
  /** Largest record that the topics take, bytes. */
  MAX_MESSAGE_BYTES: whole(8 * 1024 * 1024, 1024, 1024 * 1024 * 1024),
  CQL_REPLICATION_FACTOR: whole(1, 1, 15),
  STARROCKS_REPLICATION_NUM: whole(1, 1, 15),
}

const { STARROCKS_MYSQL, STARROCKS_USER, STARROCKS_PASSWORD } = starrocksSettings

/** Where Kafka, ScyllaDB and StarRocks are. */
export const storeSettings = { ...kafkaSettings, ...cqlSettings, STARROCKS_MYSQL, STARROCKS_USER, STARROCKS_PASSWORD }
export type StoreSettings = z.output<z.ZodObject<typeof storeSettings>>
