import { pino } from 'pino'
import type { Stack } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'

/** Connections of the demo itself, to look at what the services did. */
export type Places = AsyncDisposable & { readonly kafka: KafkaPort; readonly cql: CqlPort; readonly sql: SqlPort }

export const openPlaces = async (
  { kafka, cassandra, starrocks }: Stack,
  { keyspace, database }: StreamNames,
): Promise<Places> => {
  const log = pino({ level: 'silent' })
  const bus = openKafka({
    brokers: kafka.brokers,
    clientId: 'demo',
    log,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
  const cql = await openCql({
    contactPoints: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`),
    datacenter: cassandra.localDataCenter,
    keyspace,
    username: '',
    password: '',
    inFlight: 8,
    log,
    clock: systemClock,
  })
  const { mysqlHost, mysqlPort, user, password } = starrocks
  const sql = openMysql({ address: `${mysqlHost}:${mysqlPort}`, user, password, database })
  return {
    kafka: bus,
    cql,
    sql,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([bus.close(), cql.close(), sql.close()])
    },
  }
}
