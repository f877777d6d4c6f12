import { pino } from 'pino'
import { Registry } from 'prom-client'
import { vi } from 'vitest'
import type { UserRecord } from '../../../core/events.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { namesOf } from '../../../runtime/names.ts'
import { openMysql } from '../../../runtime/starrocks/mysql.ts'
import { openStreamLoad } from '../../../runtime/starrocks/stream-load.ts'
import { LoadService } from '../load.ts'
import { readReference } from '../read-reference.ts'
import type { FlushRule } from '../row-buffer.ts'
import { FakeKafka } from './fake-kafka.ts'

/** A StarRocks, or what stands in for it, on this machine. */
export type LocalStarRocks = { readonly feHttp: number; readonly beHttp: number; readonly mysql: number }

const access = { user: 'root', password: '' }

/** The service, in this process, on a topic in memory and a StarRocks at real doors, until it has read everything. */
export const loadWholeTopic = async ({
  topic,
  stream,
  doors,
  fetchCount = 2000,
  compression = 'none',
  rule = { ms: 200, rows: 50_000, bytes: 10_000_000 },
  kafka = new FakeKafka(topic, { clock: systemClock, fetchCount: () => fetchCount }),
}: {
  readonly topic: readonly (readonly UserRecord[])[]
  readonly stream: string
  readonly doors: LocalStarRocks
  readonly fetchCount?: number
  readonly compression?: 'none' | 'gzip'
  readonly rule?: FlushRule
  /** Given by who wants to see how far the group came. */
  readonly kafka?: FakeKafka
}): Promise<void> => {
  const names = namesOf(stream)
  const sql = openMysql({ address: `127.0.0.1:${doors.mysql}`, ...access, database: names.database })
  const service = new LoadService({
    kafka: kafka.port,
    streamLoad: openStreamLoad({
      frontends: [`127.0.0.1:${doors.feHttp}`],
      loadHosts: [`127.0.0.1:${doors.beHttp}`],
      ...access,
      loadTimeoutMs: 20_000,
      compression,
    }),
    readReference: () => readReference(sql),
    clock: systemClock,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    names,
    partitions: topic.length,
    rule,
    newBatchId: () => crypto.randomUUID(),
  })
  const stop = new AbortController()
  const running = service.run(stop.signal)
  try {
    // A service that stops by itself says why, long before the wait is over.
    await Promise.race([running, vi.waitUntil(() => kafka.isReadUp, { timeout: 120_000, interval: 20 })])
    stop.abort()
    await running
  } finally {
    stop.abort()
    await sql.close()
  }
}
