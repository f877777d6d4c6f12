import { z } from 'zod'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { runService } from '../../runtime/service.ts'
import { kafkaSettings, setting } from '../../runtime/settings.ts'
import { limits } from './limits.ts'
import { Repartition } from './repartition.ts'

await runService({
  name: 'repartition',
  settings: {
    ...kafkaSettings,
    PARTITIONS: setting.integer({ min: 1, max: 1024 }),
    BARRIER_INTERVAL_MS: z
      .string()
      .default('1000')
      .pipe(setting.integer({ min: 10, max: 1000 })),
    BARRIER_OUTPUTS: z
      .string()
      .default('10000')
      .pipe(setting.integer({ min: 1, max: 10_000 })),
  },
  start: async (given, { log, metrics, clock }) => {
    const names = namesOf(given.STREAM)
    const kafka = openKafkaFrom(given, {
      clientId: `${names.stream}-repartition`,
      log,
      gatherMs: limits.gatherMs,
      txWriters: 'threads',
    })
    const service = new Repartition(
      {
        names,
        partitions: given.PARTITIONS,
        barrierIntervalMs: given.BARRIER_INTERVAL_MS,
        barrierOutputs: given.BARRIER_OUTPUTS,
      },
      { kafka, clock, log, metrics },
    )
    return { service, close: () => kafka.close() }
  },
})
