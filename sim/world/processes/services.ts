import { Registry } from 'prom-client'
import { avroDialect } from '../../../bridge/dialects/avro.ts'
import { Bridge } from '../../../bridge/bridge.ts'
import { Repartition } from '../../../processor/repartition/repartition.ts'
import { settleLimits } from '../../../processor/settle/limits.ts'
import { Settle } from '../../../processor/settle/settle.ts'
import { settleMetrics } from '../../../processor/settle/settle-metrics.ts'
import type { MemoryCluster } from '../../../runtime/cql/testing/memory-cluster.ts'
import { MemoryCql } from '../../../runtime/cql/testing/memory-cql.ts'
import type { EngineLink } from '../../../bridge/engine-link.ts'
import type { Log } from '../../../runtime/log.ts'
import type { StreamNames } from '../../../runtime/names.ts'
import type { Service } from '../../../runtime/service.ts'
import type { Weather } from '../weather.ts'
import type { Life } from './life.ts'

/** The store's commit-log sync period in the world, and what settle waits beyond it. */
export const storeSync = { syncMs: 1000, marginMs: 300 }

type Parts = { readonly names: StreamNames; readonly weather: Weather; readonly log: Log }

export const startBridge = (life: Life, { names, log }: Parts, openLink: () => EngineLink): Service =>
  new Bridge(
    {
      names,
      tickMs: 4000,
      batchBytes: 1_000_000,
      gatherMs: 0,
      maxOutputBytes: 200_000,
      clockJumpMs: 20_000,
      clockToleranceMs: 3000,
    },
    {
      kafka: life.kafka,
      dialect: avroDialect,
      openEngineLink: () => Promise.resolve(openLink()),
      clock: life,
      log,
      metrics: new Registry(),
    },
  )

export const startRepartition = (life: Life, { names, weather, log }: Parts): Service =>
  new Repartition(
    { names, partitions: weather.partitions, barrierIntervalMs: weather.barrierIntervalMs, barrierOutputs: 12 },
    { kafka: life.kafka, clock: life, log, metrics: new Registry() },
  )

export const startSettle = (
  life: Life,
  { names, weather, log }: Parts,
  { cluster }: { readonly cluster: MemoryCluster },
): Service => {
  const metrics = settleMetrics(new Registry())
  const cql = new MemoryCql({ cluster, name: life.name, clock: life, log, inFlight: 16, awake: life.awake })
  return new Settle({
    kafka: life.kafka,
    cql,
    clock: life,
    log,
    metrics,
    topic: names.topics.users,
    group: names.groups.settle,
    partitions: weather.partitions,
    storeSyncMs: storeSync.syncMs,
    storeSyncMarginMs: storeSync.marginMs,
    commitIntervalMs: 150,
    cacheCells: weather.cacheCells,
    batchRecords: weather.batchRecords,
    batchesAtOnce: settleLimits.batchesAtOnce,
    inFlight: 128,
  })
}
