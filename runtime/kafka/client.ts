import kafkajs, { type Kafka, type LogEntry, type SASLOptions } from 'kafkajs'
import type { Log } from '../log.ts'

export type KafkaOptions = {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly log: Log
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly tls?: boolean
  readonly sasl?: SASLOptions
}

// CONCURRENT_TRANSACTIONS meets each transaction that follows another closely; 300 ms would leave 9 a second.
const retry = { initialRetryTime: 5, multiplier: 1.3, maxRetryTime: 500, retries: 30 }

/** kafkajs as all parts of the port use it; it never leaves this folder. */
export const openClient = ({ brokers, clientId, log, tls, sasl }: KafkaOptions): Kafka =>
  new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3000,
    requestTimeout: 30_000,
    retry,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => entry => write(log, entry),
    ...(tls ? { ssl: true } : {}),
    ...(sasl ? { sasl } : {}),
  })

/** kafkajs logs what it retries as errors; whoever calls decides what is one. */
const write = (log: Log, { namespace, log: { message, timestamp: _, logger: __, ...fields } }: LogEntry): void =>
  log.debug({ kafka: { namespace, ...fields } }, message)
