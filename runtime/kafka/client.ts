import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory, Kafka, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs'
import { kafkajs } from './kafkajs.ts'
import type { KafkaLimits } from './limits.ts'
import { wholeFrames } from './whole-frames.ts'

/** PEM texts. A broker's certificate is always checked: against `ca`, or the authorities that Node knows. */
export type KafkaTls = { readonly ca?: string; readonly cert?: string; readonly key?: string }

export type KafkaSasl = {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export type ClientLog = { debug(fields: object, message: string): void }

export type ClientOptions = {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly log: ClientLog
  readonly limits: KafkaLimits
  readonly tls?: KafkaTls
  readonly sasl?: KafkaSasl
}

/** kafkajs as all parts of the port use it; it never leaves this folder. Each part has its own, and its own sockets. */
export type Client = {
  readonly kafka: Kafka
  /** Breaks all its connections, so that whatever waits for an answer fails now. New ones may be made. */
  readonly reset: () => void
  /** Breaks them for good: nothing that kafkajs still retries goes out any more. */
  readonly cut: () => void
}

// CONCURRENT_TRANSACTIONS meets each transaction that follows another closely; 300 ms would leave 9 a second.
const retry = { initialRetryTime: 5, multiplier: 1.3, maxRetryTime: 500, retries: 30 }

const keepAliveMs = 60_000

export const openClient = ({ brokers, clientId, log, limits, tls, sasl }: ClientOptions): Client => {
  const sockets = new Set<Socket>()
  let closed = false
  // As kafkajs makes its sockets, but known, so that they can be broken.
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (closed) throw new Error('the client was closed')
    const servername = isIP(host) ? {} : { servername: host }
    const socket = ssl
      ? connectTls({ host, port, ...servername, ...ssl }, onConnect)
      : connect({ host, port }, onConnect)
    socket.setKeepAlive(true, keepAliveMs)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    const listen = socket.on.bind(socket) as (event: string, listener: (bytes: Buffer) => void) => Socket
    socket.on = ((event: string, listener: (bytes: Buffer) => void) =>
      listen(event, event === 'data' ? wholeFrames(listener) : listener)) as typeof socket.on
    return socket
  }
  const reset = (): void => {
    for (const socket of sockets) socket.destroy(new Error('the connection was cut'))
  }
  const config: KafkaConfig = {
    brokers: [...brokers],
    clientId,
    connectionTimeout: limits.connectMs,
    requestTimeout: limits.requestMs,
    authenticationTimeout: limits.requestMs,
    enforceRequestTimeout: true,
    retry,
    socketFactory,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => entry => write(log, entry),
    ...(tls ? { ssl: { ...tls, rejectUnauthorized: true } } : {}),
    ...(sasl ? { sasl: sasl as SASLOptions } : {}),
  }
  return {
    kafka: new kafkajs.Kafka(config),
    reset,
    cut: () => {
      closed = true
      reset()
    },
  }
}

/** kafkajs logs what it retries as errors; whoever calls decides what is one. */
const write = (log: ClientLog, { namespace, log: { message, timestamp: _, logger: __, ...fields } }: LogEntry): void =>
  log.debug({ kafka: { namespace, ...fields } }, message)
