import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { runEntry } from '../../sim/pipeline/run-entry.ts'
import { settleEntry } from '../../sim/pipeline/services.ts'
import { exchangeSize } from './exchange.ts'
import { openBenchCql, openBenchKafka, type StoreAddress } from './places.ts'
import { environmentOf, type Place } from './service.ts'

const initWithinMs = 120_000

/** A stream of the benchmark, with connections to look at it. */
export type BenchStream = AsyncDisposable & {
  readonly names: StreamNames
  readonly place: Place
  readonly brokers: readonly string[]
  readonly store: StoreAddress
  readonly kafka: KafkaPort
  readonly cql: CqlPort
}

/** A new stream as `settle init` makes it. Commits are held no longer than the local store's sync asks for. */
export const openStream = async (stack: Stack, stream: string): Promise<BenchStream> => {
  const archiveDir = join(stack.dataDir, 'archive', stream)
  await mkdir(archiveDir, { recursive: true })
  const node = stack.servers.find(({ server }) => server === 'cassandra')
  const place: Place = {
    stream,
    servers: serviceEnvironment(stack),
    archiveDir,
    intervals: {
      tickMs: 60_000,
      barrierMs: 1_000,
      windowMs: 60_000,
      flushMs: 1_000,
      storeSyncMs: node?.settings['commitlogSyncPeriodMs'] ?? 10_000,
      storeSyncMarginMs: 250,
    },
  }
  const { exitCode, stderr } = await runEntry(settleEntry, {
    args: ['init'],
    env: environmentOf(place),
    withinMs: initWithinMs,
  })
  if (exitCode !== 0) throw new Error(`settle init ended with exit code ${exitCode}: ${stderr.trim()}`)
  const names = namesOf(stream)
  const store: StoreAddress = {
    contactPoints: stack.cassandra.contactPoints.map(host => `${host}:${stack.cassandra.port}`),
    datacenter: stack.cassandra.localDataCenter,
  }
  const kafka = openBenchKafka(stack.kafka.brokers)
  const cql = await openBenchCql(store, names.keyspace)
  return {
    names,
    place,
    brokers: stack.kafka.brokers,
    store,
    kafka,
    cql,
    [Symbol.asyncDispose]: async () => void (await Promise.all([kafka.close(), cql.close()])),
  }
}

/** The same tables once more, for statements that are played without a stream behind them. */
export const makeTables = ({ store }: Pick<BenchStream, 'store'>, keyspace: string): Promise<unknown> =>
  migrateStore({
    open: ({ keyspace }) => openBenchCql(store, keyspace),
    keyspace,
    stream: keyspace,
    partitions: exchangeSize.partitions,
    datacenter: store.datacenter,
    replicationFactor: 1,
  })

/** An empty keyspace. */
export const makeKeyspace = async ({ store, cql }: Pick<BenchStream, 'store' | 'cql'>, keyspace: string) =>
  cql.define(
    `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${store.datacenter}': 1}`,
  )
