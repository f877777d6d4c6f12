import { randomUUID } from 'node:crypto'
import { openKafkaFrom } from '../../runtime/kafka/kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { runService } from '../../runtime/service.ts'
import { settingsProblem } from '../../runtime/settings.ts'
import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import { SqlFailure } from '../../runtime/starrocks/sql-port.ts'
import { openStreamLoad } from '../../runtime/starrocks/stream-load.ts'
import { limits, relationProblems } from './limits.ts'
import { LoadService } from './load.ts'
import { readReference } from './read-reference.ts'
import { loadSettings } from './settings.ts'
import { unreachable } from './unreachable.ts'

await runService({
  name: 'load',
  settings: loadSettings,
  start: async (settings, { log, metrics, clock }) => {
    const rule = { ms: settings.FLUSH_MS, rows: settings.FLUSH_ROWS, bytes: settings.FLUSH_BYTES }
    const problems = relationProblems({
      rule,
      loadTimeoutMs: settings.LOAD_TIMEOUT_MS,
      drainTimeoutMs: settings.DRAIN_TIMEOUT_MS,
    })
    if (problems.length > 0) throw settingsProblem(problems)
    const names = namesOf(settings.STREAM)
    const access = { user: settings.STARROCKS_USER, password: settings.STARROCKS_PASSWORD }
    const sql = openMysql({ address: settings.STARROCKS_MYSQL, ...access, database: names.database })
    await checkDatabase(sql, {
      database: names.database,
      stream: names.stream,
      partitions: settings.PARTITIONS,
    }).catch((error: unknown) => {
      throw error instanceof SqlFailure ? unreachable(error) : error
    })
    const kafka = openKafkaFrom(settings, { clientId: `${names.stream}.load`, log, gatherMs: limits.gatherMs })
    const service = new LoadService({
      kafka,
      streamLoad: openStreamLoad({
        frontends: settings.STARROCKS_HTTP,
        loadHosts: settings.STARROCKS_LOAD_HOSTS,
        ...access,
        loadTimeoutMs: settings.LOAD_TIMEOUT_MS,
        compression: settings.LOAD_COMPRESSION,
      }),
      readReference: () => readReference(sql),
      clock,
      log,
      metrics,
      names,
      partitions: settings.PARTITIONS,
      rule,
      newBatchId: randomUUID,
    })
    return {
      service,
      close: async () => {
        await kafka.close()
        await sql.close()
      },
    }
  },
})
