import { spawn } from 'node:child_process'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TinyExchange } from '../../core/testing/tiny-exchange.ts'
import type { UserId } from '../../core/ids.ts'
import { type Stack, up } from '../../local/stack.ts'
import { Settle } from '../../processor/settle/settle.ts'
import { settleMetrics } from '../../processor/settle/settle-metrics.ts'
import { UserTopic } from '../../processor/settle/testing/user-topic.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import type { CqlPort, CqlRow } from '../../runtime/cql/port.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { toCommitted } from '../../runtime/reader/progress.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import type { Pos } from '../../core/ids.ts'
import { inheritedEnvironment } from '../../sim/pipeline/inherited-environment.ts'

const partitions = 3
const stream = `settle_int_${process.pid}_${Date.now().toString(36)}`
const names = namesOf(stream)
const log = pino({ level: 'warn' })
let stack: Stack<'kafka' | 'cassandra'>
let kafka: KafkaPort
let cql: CqlPort
let storeSyncMs: number
const topic = new UserTopic({ partitions })
const exchange = new TinyExchange()
let sent = topic.records.map(() => 0)

const openStore = ({ keyspace }: { readonly keyspace?: string } = {}): Promise<CqlPort> =>
  openCql({
    contactPoints: stack.cassandra.contactPoints.map(host => `${host}:${stack.cassandra.port}`),
    datacenter: stack.cassandra.localDataCenter,
    ...(keyspace === undefined ? {} : { keyspace }),
    username: '',
    password: '',
    inFlight: 64,
    log,
    clock: systemClock,
  })

beforeAll(async () => {
  stack = await up({ servers: ['kafka', 'cassandra'] })
  kafka = openKafka({
    brokers: stack.kafka.brokers,
    clientId: stream,
    log,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
  await kafka.admin.createTopics([{ topic: names.topics.users, partitions, replicationFactor: 1, config: {} }])
  const start = toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos })
  await kafka.admin.setOffsets({
    group: names.groups.settle,
    topic: names.topics.users,
    offsets: new Map(topic.records.map((_, partition) => [partition, start])),
  })
  await migrateStore({
    open: openStore,
    keyspace: names.keyspace,
    stream,
    partitions,
    datacenter: stack.cassandra.localDataCenter,
    replicationFactor: 1,
  })
  cql = await openStore({ keyspace: names.keyspace })
  storeSyncMs = (await cql.commitLogSyncMs()) ?? 10_000
})

afterAll(async () => {
  await cql?.define(`DROP KEYSPACE IF EXISTS ${names.keyspace}`)
  await cql?.close()
  await kafka?.admin.deleteTopics([names.topics.users])
  await kafka?.close()
})

/** Sends what the topic has gained. */
const send = async (): Promise<void> => {
  const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.repartition })
  const records = topic.records.flatMap((each, partition) =>
    each.slice(sent[partition]).map(record => ({
      topic: names.topics.users,
      partition,
      key: null,
      value: encodeUserRecord(record),
      timestampMs: record.pos / 1000n,
    })),
  )
  await writer.commitBatch({ records })
  await writer.close()
  sent = topic.records.map(each => each.length)
}

const settle = (): {
  readonly stop: () => Promise<void>
  readonly failed: Promise<void>
  readonly registry: Registry
} => {
  const registry = new Registry()
  const service = new Settle({
    kafka,
    cql,
    clock: systemClock,
    log,
    metrics: settleMetrics(registry),
    topic: names.topics.users,
    group: names.groups.settle,
    partitions,
    storeSyncMs,
    storeSyncMarginMs: 0,
    commitIntervalMs: 100,
    cacheCells: 1000,
    batchRecords: 50,
    inFlight: 128,
  })
  const stopping = new AbortController()
  const failed = service.run(stopping.signal)
  failed.catch(() => {})
  return {
    registry,
    failed,
    stop: async () => {
      stopping.abort()
      await failed
    },
  }
}

const until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`)
    await systemClock.sleep(100)
  }
}

const all = async (query: string): Promise<readonly CqlRow[]> => {
  const rows: CqlRow[] = []
  for await (const row of cql.scan(query)) rows.push(row)
  return rows
}

const lastInterval = async (): Promise<boolean> =>
  (await cql.query('SELECT part FROM intervals WHERE barrier_pos = ?', [topic.pos])).length === partitions

/** Every user's balances by the engine's own last word. */
const engineBalances = (): Map<string, string> => {
  const last = new Map<string, string>()
  for (const record of topic.records.flat())
    if (record.kind === 'UserOutput')
      for (const { value } of record.changes)
        last.set(`${value.user}/${value.asset}`, `${value.available} ${value.frozen} ${value.version} ${record.pos}`)
  return last
}

const storedBalances = async (): Promise<Map<string, string>> =>
  new Map(
    (await all('SELECT user_id, asset, bal FROM balances')).map(row => [
      `${row['user_id'] as UserId}/${row['asset'] as number}`,
      (row['bal'] as bigint[]).join(' '),
    ]),
  )

const trade = (count: number, seed: number): void => {
  for (let at = 0; at < count; at++) {
    const user = 1 + ((at * 7 + seed) % 4)
    const side = (at + seed) % 2 === 0 ? ('Buy' as const) : ('Sell' as const)
    topic.output(
      exchange.take({ kind: 'place', user, side, price: 50 + ((at * 3) % 5) - 2, lots: 1 + (at % 9), life: 'rest' }),
    )
    if (at % 25 === 24) topic.barrier()
  }
  topic.barrier()
}

test('settles what is there, stops, goes on, and the store is what the engine says', async () => {
  for (const user of [1, 2, 3, 4])
    for (const asset of [1, 2]) topic.output(exchange.take({ kind: 'deposit', user, asset, amount: 10_000_000 }))
  trade(200, 1)
  await send()
  const first = settle()
  await until('all intervals of the first part', lastInterval)
  await first.stop()
  expect(await storedBalances()).toEqual(engineBalances())

  trade(200, 2)
  await send()
  const second = settle()
  await until('all intervals of the second part', lastInterval)
  await until('offsets committed at the last barrier', async () => {
    const committed = await kafka.committed({ group: names.groups.settle, topic: names.topics.users })
    return [...committed.values()].every(({ metadata }) => metadata.includes(`pos=${topic.pos}`))
  })
  await until('conservation checked', async () => {
    const text = await second.registry.metrics()
    return (
      /settle_settle_intervals_total\{result="equal"\} \d+/.test(text) && /settle_settle_intervals_open 0/.test(text)
    )
  })
  await second.stop()
  expect(await second.registry.metrics()).not.toMatch(/result="unequal"/)
  expect(await storedBalances()).toEqual(engineBalances())

  const outputs = topic.records.flat().filter(record => record.kind === 'UserOutput')
  expect((await all('SELECT pos FROM history')).length).toBe(outputs.length)
  const trades = new Set(outputs.flatMap(record => record.trades.map(each => each.value.trade)))
  expect(trades.size).toBeGreaterThan(20)
  expect(new Set((await all('SELECT trade_id FROM trades')).map(row => row['trade_id']))).toEqual(trades)
})

describe('the process', () => {
  const env = (over: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    ...inheritedEnvironment(),
    STREAM: stream,
    STOP_LINGER_MS: '0',
    PARTITIONS: `${partitions}`,
    KAFKA_BROKERS: stack.kafka.brokers.join(','),
    CQL_CONTACT_POINTS: stack.cassandra.contactPoints.map(host => `${host}:${stack.cassandra.port}`).join(','),
    CQL_DATACENTER: stack.cassandra.localDataCenter,
    STORE_SYNC_MS: `${storeSyncMs}`,
    ...over,
  })
  const main = (settings: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, ['processor/settle/main.ts'], { env: settings })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const exit = new Promise<number | null>(resolve => child.once('exit', resolve))
    return { child, exit, text: () => text }
  }

  test('settles, and ends with 0 when it is told to', async () => {
    trade(20, 3)
    await send()
    const { child, exit, text } = main(env())
    await until('all intervals of the third part', lastInterval)
    child.kill('SIGTERM')
    expect([await exit, text()]).toEqual([0, expect.stringContaining('stopped')])
    expect(await storedBalances()).toEqual(engineBalances())
  })

  test.each([
    ['unreadable settings', { PARTITIONS: 'x', BATCH_RECORDS: '0' }, 2, /PARTITIONS="x".*\n.*BATCH_RECORDS="0"/],
    ["a sync period below the store's", { STORE_SYNC_MS: '0' }, 2, /STORE_SYNC_MS=0 .* at least \d+/],
    ['another P than the keyspace has', { PARTITIONS: '4' }, 3, /made for 3 partitions, PARTITIONS says 4/],
    ['a keyspace that is not there', { CQL_KEYSPACE: 'nowhere' }, 3, /keyspace nowhere does not exist .*settle init/],
    ["another stream's keyspace", { STREAM: 'another', CQL_KEYSPACE: stream }, 3, /belongs to stream settle_int_/],
    ['a group without offsets', { SETTLE_GROUP: `${stream}.other` }, 3, /no committed offset.*settle init/],
  ])('ends with %s by name', async (_, over, code, message) => {
    const { exit, text } = main(env(over))
    expect(await exit).toBe(code)
    expect(text()).toMatch(message)
  })
})
