import { openCql } from '../../runtime/cql/cql.ts'
import { checkStore } from '../../runtime/cql/stream-meta.ts'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { runService } from '../../runtime/service.ts'
import { settleLimits } from './limits.ts'
import { Settle } from './settle.ts'
import { settleMetrics } from './settle-metrics.ts'
import { settleSettings } from './settings.ts'

await runService({
  name: 'settle',
  settings: settleSettings,
  start: async (settings, { log, clock, metrics: registry }) => {
    const names = namesOf(settings.STREAM)
    const metrics = settleMetrics(registry)
    const keyspace = settings.CQL_KEYSPACE === '' ? names.keyspace : settings.CQL_KEYSPACE
    const cql = await openCql({
      contactPoints: settings.CQL_CONTACT_POINTS,
      datacenter: settings.CQL_DATACENTER,
      keyspace,
      username: settings.CQL_USERNAME,
      password: settings.CQL_PASSWORD,
      openForMs: settings.CQL_OPEN_TIMEOUT_MS,
      inFlight: settings.IN_FLIGHT,
      log,
      clock,
      onRetry: code => metrics.retries.inc({ code }),
    })
    await checkStore(cql, { keyspace, stream: settings.STREAM, partitions: settings.PARTITIONS })
    const kafka = openKafkaFrom(settings, {
      clientId: `${settings.STREAM}.settle`,
      log,
      gatherMs: settleLimits.gatherMs,
    })
    const service = new Settle({
      kafka,
      cql,
      clock,
      log,
      metrics,
      topic: names.topics.users,
      group: settings.SETTLE_GROUP === '' ? names.groups.settle : settings.SETTLE_GROUP,
      partitions: settings.PARTITIONS,
      storeSyncMs: settings.STORE_SYNC_MS,
      storeSyncMarginMs: settings.STORE_SYNC_MARGIN_MS,
      commitIntervalMs: settings.COMMIT_INTERVAL_MS,
      cacheCells: settings.CACHE_CELLS,
      batchRecords: settings.BATCH_RECORDS,
      batchesAtOnce: settleLimits.batchesAtOnce,
      inFlight: settings.IN_FLIGHT,
    })
    return {
      service,
      close: async () => {
        await kafka.close()
        await cql.close()
      },
    }
  },
})
