import { z } from 'zod'
import { openKafkaFrom } from '../runtime/kafka/kafka.ts'
import { namesOf } from '../runtime/names.ts'
import { runService } from '../runtime/service.ts'
import { kafkaSettings, setting, settingsProblem } from '../runtime/settings.ts'
import { Bridge } from './bridge.ts'
import type { Dialect } from './dialects/dialect.ts'
import { dialects } from './dialects/dialects.ts'
import { limits } from './limits.ts'
import { zeroMqLink } from './zeromq.ts'

const curveKey = z
  .string()
  .regex(/^([\w.:+=^!/*?&<>()[\]{}@%$#-]{40})?$/, 'must be a CURVE key: 40 characters of Z85')
  .default('')

const settings = {
  ...kafkaSettings,
  ENGINE_LIVE: setting.text,
  /** `none`: the engine keeps no journal to replay from. */
  ENGINE_REPLAY: setting.text,
  ENGINE_DIALECT: z.enum(Object.keys(dialects) as (keyof typeof dialects)[]).default('avro'),
  ENGINE_SERVER_KEY: curveKey,
  ENGINE_PUBLIC_KEY: curveKey,
  ENGINE_SECRET_KEY: curveKey,
  ENGINE_PLAIN: z.enum(['refused', 'allowed']).default('refused'),
  TICK_MS: z
    .string()
    .default('60000')
    .pipe(setting.integer({ min: 50, max: 3_600_000 })),
  CLOCK_JUMP_MS: z
    .string()
    .default('300000')
    .pipe(setting.integer({ min: 1000, max: 86_400_000 })),
  CLOCK_TOLERANCE_MS: z
    .string()
    .default('5000')
    .pipe(setting.integer({ min: 10, max: 600_000 })),
  BATCH_BYTES: z
    .string()
    .default('6291456')
    .pipe(setting.integer({ min: 65_536, max: 64 * 1024 * 1024 })),
  MAX_OUTPUT_BYTES: z
    .string()
    .default('4194304')
    .pipe(setting.integer({ min: 1024, max: 64 * 1024 * 1024 })),
}

type Curve = { readonly engineKey: string; readonly publicKey: string; readonly secretKey: string }

const curveOf = (engineKey: string, publicKey: string, secretKey: string): Curve | null => {
  const given = [engineKey, publicKey, secretKey].filter(key => key !== '').length
  if (given === 0) return null
  if (given < 3)
    throw settingsProblem([
      'ENGINE_SERVER_KEY, ENGINE_PUBLIC_KEY and ENGINE_SECRET_KEY must be set together or not at all',
    ])
  return { engineKey, publicKey, secretKey }
}

await runService({
  name: 'bridge',
  settings,
  start: async (given, { log, metrics, clock }) => {
    const names = namesOf(given.STREAM)
    if (given.MAX_OUTPUT_BYTES + limits.recordOverheadBytes > given.BATCH_BYTES)
      throw settingsProblem([
        `MAX_OUTPUT_BYTES=${given.MAX_OUTPUT_BYTES} must be below BATCH_BYTES=${given.BATCH_BYTES}`,
      ])
    if (given.TICK_MS >= given.CLOCK_JUMP_MS)
      throw settingsProblem([
        `TICK_MS=${given.TICK_MS} must be below CLOCK_JUMP_MS=${given.CLOCK_JUMP_MS}: every Tick would ask for the time`,
      ])
    const dialect: Dialect = dialects[given.ENGINE_DIALECT]
    const openEngineLink = zeroMqLink(
      {
        live: given.ENGINE_LIVE,
        replay: given.ENGINE_REPLAY,
        maxOutputBytes: given.MAX_OUTPUT_BYTES,
        expansion: dialect.expansion,
        sendTimeoutMs: 1000,
        curve: curveOf(given.ENGINE_SERVER_KEY, given.ENGINE_PUBLIC_KEY, given.ENGINE_SECRET_KEY),
        plainBeyondLoopback: given.ENGINE_PLAIN,
      },
      { log, clock, metrics },
    )
    const kafka = openKafkaFrom(given, { clientId: `${names.stream}-bridge`, log, txWriters: 'threads' })
    const service = new Bridge(
      {
        names,
        tickMs: given.TICK_MS,
        batchBytes: given.BATCH_BYTES,
        gatherMs: limits.gatherMs,
        maxOutputBytes: given.MAX_OUTPUT_BYTES,
        clockJumpMs: given.CLOCK_JUMP_MS,
        clockToleranceMs: given.CLOCK_TOLERANCE_MS,
      },
      { kafka, dialect, openEngineLink, clock, log, metrics },
    )
    return { service, close: () => kafka.close() }
  },
})
