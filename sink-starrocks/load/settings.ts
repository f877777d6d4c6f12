import { kafkaSettings, setting } from '../../runtime/settings.ts'
import { starrocksSettings } from '../../runtime/starrocks/settings.ts'
import { z } from 'zod'
import { limits } from './limits.ts'

const number = (fallback: number, bounds: { readonly min: number; readonly max: number }) =>
  z.string().default(String(fallback)).pipe(setting.integer(bounds))

export const loadSettings = {
  ...kafkaSettings,
  ...starrocksSettings,
  /** Of user.outputs. */
  PARTITIONS: setting.integer({ min: 1, max: 10_000 }),
  /** A batch is loaded when the one before it was taken so long ago, */
  FLUSH_MS: number(1_000, { min: 10, max: 60_000 }),
  /** or when it has so many rows over all tables, */
  FLUSH_ROWS: number(20_000, { min: 1, max: 1_000_000 }),
  /** or so many bytes; three such batches are in memory. */
  FLUSH_BYTES: number(16 * 1024 * 1024, { min: 1024, max: limits.maxFlushBytes }),
  /** What bodies are packed with on their way. */
  LOAD_COMPRESSION: z.enum(['none', 'gzip']).default('none'),
  /** How long StarRocks may take for one load. */
  LOAD_TIMEOUT_MS: number(60_000, { min: 1_000, max: 500_000 }),
}
