import { spawn } from 'node:child_process'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { up } from '../../local/stack.ts'
import { Settle } from '../../processor/settle/settle.ts'
import { settleMetrics } from '../../processor/settle/settle-metrics.ts'
import { systemClock } from '../../runtime/clock.ts'
import { until, UserStream } from '../pipeline/user-stream.ts'

const partitions = 3
const name = `settle_int_${process.pid}_${Date.now().toString(36)}`
const log = pino({ level: 'warn' })
let stream: UserStream

beforeAll(async () => {
  stream = await UserStream.open(await up({ servers: ['kafka', 'cassandra'] }), { stream: name, partitions })
})
afterAll(() => stream?.drop())

const settle = (): {
  readonly stop: () => Promise<void>
  readonly failed: Promise<void>
  readonly registry: Registry
} => {
  const registry = new Registry()
  const service = new Settle({
    kafka: stream.kafka,
    cql: stream.cql,
    clock: systemClock,
    log,
    metrics: settleMetrics(registry),
    topic: stream.names.topics.users,
    group: stream.names.groups.settle,
    partitions,
    storeSyncMs: stream.storeSyncMs,
    storeSyncMarginMs: 0,
    commitIntervalMs: 100,
    cacheCells: 1000,
    batchRecords: 50,
    batchesAtOnce: 2,
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

test('settles what is there, stops, goes on, and the store is what the engine says', async () => {
  stream.trade(200, 1)
  await stream.send()
  const first = settle()
  await stream.settled()
  await first.stop()
  expect(await stream.storedBalances()).toEqual(stream.engineBalances())

  stream.trade(200, 2)
  await stream.send()
  const second = settle()
  await stream.settled()
  await stream.committed()
  await until('conservation checked', async () => {
    const text = await second.registry.metrics()
    return (
      /settle_settle_intervals_total\{result="equal"\} \d+/.test(text) && /settle_settle_intervals_open 0/.test(text)
    )
  })
  await second.stop()
  expect(await second.registry.metrics()).not.toMatch(/result="unequal"/)
  expect(await stream.storedBalances()).toEqual(stream.engineBalances())

  const outputs = stream.topic.records.flat().filter(record => record.kind === 'UserOutput')
  expect((await stream.all('SELECT pos FROM history')).length).toBe(outputs.length)
  const trades = new Set(outputs.flatMap(record => record.trades.map(each => each.value.trade)))
  expect(trades.size).toBeGreaterThan(20)
  expect(new Set((await stream.all('SELECT trade_id FROM trades')).map(row => row['trade_id']))).toEqual(trades)
})

describe('the process', () => {
  const main = (settings: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, ['processor/settle/main.ts'], { env: settings })
    let text = ''
    for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const exit = new Promise<number | null>(resolve => child.once('exit', resolve))
    return { child, exit, text: () => text }
  }

  test('settles, and ends with 0 when it is told to', async () => {
    stream.trade(20, 3)
    await stream.send()
    const { child, exit, text } = main(stream.environment)
    await stream.settled()
    child.kill('SIGTERM')
    expect([await exit, text()]).toEqual([0, expect.stringContaining('stopped')])
    expect(await stream.storedBalances()).toEqual(stream.engineBalances())
  })

  test.each([
    ['unreadable settings', { PARTITIONS: 'x', BATCH_RECORDS: '0' }, 2, /PARTITIONS="x".*\n.*BATCH_RECORDS="0"/],
    ["a sync period below the store's", { STORE_SYNC_MS: '0' }, 2, /STORE_SYNC_MS=0 .* at least \d+/],
    ['another P than the keyspace has', { PARTITIONS: '4' }, 3, /made for 3 partitions, PARTITIONS says 4/],
    ['a keyspace that is not there', { CQL_KEYSPACE: 'nowhere' }, 3, /keyspace nowhere does not exist .*settle init/],
    ["another stream's keyspace", { STREAM: 'another', CQL_KEYSPACE: name }, 3, /belongs to stream settle_int_/],
    ['a group without offsets', { SETTLE_GROUP: `${name}.other` }, 3, /no committed offset.*settle init/],
  ])('ends with %s by name', async (_, over, code, message) => {
    const { exit, text } = main({ ...stream.environment, ...over })
    expect(await exit).toBe(code)
    expect(text()).toMatch(message)
  })
})
