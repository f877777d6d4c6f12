import { pino } from 'pino'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'

/** Where the store is; goes to workers as JSON. */
export type StoreAddress = { readonly contactPoints: readonly string[]; readonly datacenter: string }

/** As many requests under way as settle has when nobody says otherwise. */
export const inFlight = 128

export const openBenchKafka = (brokers: readonly string[]): KafkaPort =>
  openKafka({
    brokers,
    clientId: 'bench',
    log: pino({ level: 'silent' }),
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })

export const openBenchCql = (address: StoreAddress, keyspace?: string): Promise<CqlPort> =>
  openCql({
    ...address,
    ...(keyspace === undefined ? {} : { keyspace }),
    username: '',
    password: '',
    inFlight,
    log: pino({ level: 'warn' }),
    clock: systemClock,
  })
