import type { Clock } from '../runtime/clock.ts'
import { openCql } from '../runtime/cql/cql.ts'
import type { CqlPort } from '../runtime/cql/port.ts'
import { openKafkaFrom } from '../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import { openMysql } from '../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../runtime/starrocks/sql-port.ts'
import type { StoreSettings } from './settings.ts'

/** Connections to the places of a stream. Kafka's is shared and closed with the command; the others are the caller's. */
export interface Places {
  readonly kafka: KafkaPort
  /** `openForMs`: how long to wait for the first node, if not as the settings say. */
  readonly openCql: (options: { readonly keyspace?: string; readonly openForMs?: number }) => Promise<CqlPort>
  readonly openSql: (database?: string) => SqlPort
  [Symbol.asyncDispose](): Promise<void>
}

const cqlInFlight = 16

export const openPlaces = (options: {
  readonly settings: StoreSettings
  readonly log: Log
  readonly clock: Clock
}): Places => {
  const { settings, log, clock } = options
  const kafka = openKafkaFrom(settings, { clientId: 'settle', log })
  return {
    kafka,
    openCql: options =>
      openCql({
        contactPoints: settings.CQL_CONTACT_POINTS,
        datacenter: settings.CQL_DATACENTER,
        username: settings.CQL_USERNAME,
        password: settings.CQL_PASSWORD,
        openForMs: settings.CQL_OPEN_TIMEOUT_MS,
        inFlight: cqlInFlight,
        log,
        clock,
        ...options,
      }),
    openSql: database =>
      openMysql({
        address: settings.STARROCKS_MYSQL,
        user: settings.STARROCKS_USER,
        password: settings.STARROCKS_PASSWORD,
        ...(database === undefined ? {} : { database }),
      }),
    [Symbol.asyncDispose]: () => kafka.close(),
  }
}
