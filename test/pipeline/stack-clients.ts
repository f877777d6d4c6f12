import { pino } from 'pino'
import type { Stack } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'

const log = pino({ level: 'silent' })

/** The stack's Kafka, as a service asks it. */
export const openBroker = ({ kafka }: Pick<Stack, 'kafka'>, clientId: string): KafkaPort =>
  openKafka({ brokers: kafka.brokers, clientId, log, sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 })

/** The stack's store: a stream's keyspace, or none of them. */
export const openStore = ({ cassandra }: Pick<Stack, 'cassandra'>, stream?: string): Promise<CqlPort> =>
  openCql({
    contactPoints: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`),
    datacenter: cassandra.localDataCenter,
    ...(stream === undefined ? {} : { keyspace: namesOf(stream).keyspace }),
    username: '',
    password: '',
    inFlight: 8,
    log,
    clock: systemClock,
  })
