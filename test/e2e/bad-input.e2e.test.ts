import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogRecord, ReferenceData } from '../../core/events.ts'
import { amount, assetId, pos, symbolId, userId } from '../../core/ids.ts'
import { serviceEnvironment, type Stack, up } from '../../local/stack.ts'
import { namesOf } from '../../runtime/names.ts'
import { encodeLogRecord } from '../../schemas/codec.ts'
import { inheritedEnvironment } from '../../sim/pipeline/inherited-environment.ts'
import { type EntryResult, runEntry } from '../../sim/pipeline/run-entry.ts'
import { ServiceProcess } from '../../sim/pipeline/service-process.ts'
import {
  engineEntry,
  serviceEntries,
  type ServiceName,
  serviceNames,
  settleEntry,
} from '../../sim/pipeline/services.ts'
import { newStream } from '../pipeline/run-to-the-end.ts'
import { openBroker, openStore } from '../pipeline/stack-clients.ts'

const partitions = 2
const withinMs = 90_000
const demoEntry = resolve(import.meta.dirname, '../../sim/demo/main.ts')

let folder: string
let stack: Stack
let stream: string
let busy: Server
let busyPort: number
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'settle-bad-input-'))
  stack = await up()
  stream = newStream('bad')
  const made = await runEntry(settleEntry, { args: ['init'], env: environment(), withinMs })
  if (made.exitCode !== 0) throw new Error(words(made))
  busy = createServer()
  await new Promise<void>(listening => busy.listen(0, '127.0.0.1', listening))
  busyPort = (busy.address() as { readonly port: number }).port
})
afterAll(() => {
  busy.close()
  rmSync(folder, { recursive: true, force: true })
})

const environment = (changes: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  ...inheritedEnvironment(),
  ...serviceEnvironment(stack),
  STREAM: stream,
  PARTITIONS: `${partitions}`,
  ARCHIVE_DIR: folder,
  WINDOW_MS: '2000',
  ENGINE_LIVE: 'sub:tcp://127.0.0.1:1',
  ENGINE_REPLAY: 'tcp://127.0.0.1:1',
  STORE_SYNC_MS: '1000',
  STOP_LINGER_MS: '0',
  ...changes,
})
const runService = (name: ServiceName, changes: Readonly<Record<string, string>>): Promise<EntryResult> =>
  runEntry(serviceEntries[name], { env: environment(changes), withinMs })
const runEngine = (settings: Readonly<Record<string, string>>): Promise<EntryResult> =>
  runEntry(engineEntry, {
    env: { ...inheritedEnvironment(), ENGINE_DATA_DIR: join(folder, 'engine'), ...settings },
    withinMs,
  })
const words = ({ stdout, stderr }: EntryResult): string => `${stdout}${stderr}`

describe.concurrent('unreadable settings are told all together', () => {
  test.each(serviceNames)('by %s', async name => {
    const result = await runService(name, { STREAM: 'No Name', KAFKA_BROKERS: '', HTTP_PORT: 'eighty' })
    expect(result.exitCode).toBe(2)
    expect(words(result)).toContain('STREAM="No Name"')
    expect(words(result)).toContain('KAFKA_BROKERS is not set')
    expect(words(result)).toContain('HTTP_PORT="eighty"')
  })

  test('by the engine', async () => {
    const result = await runEngine({ ENGINE_USERS: 'many', ENGINE_ORDRES: '5' })
    expect(result.exitCode).toBe(2)
    expect(words(result)).toContain('ENGINE_USERS')
    expect(words(result)).toContain('ENGINE_ORDRES: no such setting')
  })

  test('by the demo', async () => {
    const env = { ...inheritedEnvironment(), ORDERS: 'all', FLOW: join(folder, 'nowhere.csv') }
    const result = await runEntry(demoEntry, { env, withinMs })
    expect(result.exitCode).toBe(2)
    expect(words(result)).toContain('ORDERS=all: must be a whole number')
    expect(words(result)).toContain('nowhere.csv: is no file')
  })
})

// Each mostly waits.
describe.concurrent('servers that are not there', () => {
  const nobody = '127.0.0.1:1'
  const soon = { CQL_OPEN_TIMEOUT_MS: '2000' }
  test.each<[ServiceName, Readonly<Record<string, string>>]>([
    ['bridge', { KAFKA_BROKERS: nobody }],
    ['repartition', { KAFKA_BROKERS: nobody }],
    ['settle', { KAFKA_BROKERS: nobody }],
    ['settle', { CQL_CONTACT_POINTS: nobody }],
    ['load', { KAFKA_BROKERS: nobody }],
    ['load', { STARROCKS_MYSQL: nobody }],
    ['archive', { KAFKA_BROKERS: nobody }],
  ])('%s without %j', async (name, changes) => {
    const result = await runService(name, { ...soon, ...changes })
    expect(words(result)).toContain(nobody)
    expect(words(result)).not.toContain('was ended by SIGKILL')
    expect(result.exitCode).toBe(1)
  })

  test.each(['KAFKA_BROKERS', 'CQL_CONTACT_POINTS', 'STARROCKS_MYSQL'])('settle init without %s', async name => {
    const env = environment({ ...soon, [name]: nobody })
    const result = await runEntry(settleEntry, { args: ['init'], env, withinMs })
    expect(words(result)).toContain(nobody)
    expect(result.exitCode).toBe(1)
  })
})

describe.concurrent('a port that is in use', () => {
  test.each(serviceNames)('HTTP_PORT of %s', async name => {
    const result = await runService(name, { HTTP_PORT: `${busyPort}` })
    expect(words(result)).toContain(`HTTP_PORT=${busyPort}: can't listen`)
    expect(result.exitCode).toBe(2)
  })

  test.each(['ENGINE_LIVE_ADDRESS', 'ENGINE_REPLAY_ADDRESS'])('%s', async name => {
    const result = await runEngine({
      ENGINE_LIVE_ADDRESS: 'tcp://127.0.0.1:*',
      ENGINE_REPLAY_ADDRESS: 'tcp://127.0.0.1:*',
      [name]: `tcp://127.0.0.1:${busyPort}`,
      // Two engines at once on one folder: the second would be refused for that.
      ENGINE_DATA_DIR: join(folder, `engine-${name}`),
    })
    expect(words(result)).toContain(`127.0.0.1:${busyPort}`)
    expect(result.exitCode).toBe(4)
  })
})

describe('a stream that was made otherwise', () => {
  test('another P: settle init names both', async () => {
    const result = await runEntry(settleEntry, { args: ['init'], env: environment({ PARTITIONS: '3' }), withinMs })
    expect(words(result)).toMatch(/2 partitions.*3/s)
    expect(result.exitCode).toBe(3)
  })

  test.concurrent.each(['repartition', 'settle', 'load', 'archive'] as const)(
    'more partitions than there are: %s',
    async name => {
      const result = await runService(name, { PARTITIONS: '3' })
      expect(words(result)).toMatch(/\b2\b.*\b3\b|\b3\b.*\b2\b/s)
      expect(result.exitCode).toBe(3)
    },
  )

  test.concurrent.each(serviceNames)('a stream that was never made: %s', async name => {
    const result = await runService(name, { STREAM: 'nobody_made_this' })
    expect(words(result)).toContain('nobody_made_this')
    expect(result.exitCode).toBe(3)
  })

  test('a keyspace with other columns', async () => {
    const store = await openStore(stack, stream)
    await store.define('ALTER TABLE trades ADD surprise int')
    try {
      const settle = await runService('settle', {})
      expect(words(settle)).toContain('surprise')
      expect(settle.exitCode).toBe(3)
      const init = await runEntry(settleEntry, { args: ['init'], env: environment(), withinMs })
      expect(words(init)).toContain('surprise')
      expect(init.exitCode).toBe(3)
    } finally {
      await store.define('ALTER TABLE trades DROP surprise')
      await store.close()
    }
  })

  test('an engine with other symbols than its journal', async () => {
    const addresses = { ENGINE_LIVE_ADDRESS: 'tcp://127.0.0.1:*', ENGINE_REPLAY_ADDRESS: 'tcp://127.0.0.1:*' }
    const dir = { ENGINE_DATA_DIR: join(folder, 'engine-symbols') }
    const { service: begun } = await ServiceProcess.start({
      name: 'engine',
      entry: engineEntry,
      env: { ...inheritedEnvironment(), ...addresses, ...dir, ENGINE_ORDERS: '10', ENGINE_MAX_UNACKED: '0' },
      logFile: join(folder, 'engine-symbols.log'),
      isReady: ({ kind }) => kind === 'done',
      readyWithinMs: withinMs,
    })
    await begun.stop({ withinMs })
    const result = await runEngine({ ...addresses, ...dir, ENGINE_ORDERS: '10', ENGINE_SYMBOLS: 'BTC-USDT' })
    expect(words(result)).toContain('ENGINE_SYMBOLS')
    expect(result.exitCode).toBe(2)
  })
})

describe('reference data that is not the one the log began with', () => {
  const reference: ReferenceData = {
    assets: [
      { asset: assetId(1), name: 'BTC', decimals: 8 },
      { asset: assetId(2), name: 'USDT', decimals: 6 },
    ],
    symbols: [
      {
        ...{ symbol: symbolId(1), name: 'BTC-USDT', base: assetId(1), quote: assetId(2), lot: amount(10_000n) },
        ...{ priceScale: 2, quantityScale: 4 },
      },
    ],
    house: userId(1n),
  }

  test('stops repartition with exit 3 and what differs', async () => {
    const own = newStream('foreign')
    const made = await runEntry(settleEntry, { args: ['init'], env: environment({ STREAM: own }), withinMs })
    expect([words(made), made.exitCode]).toEqual([expect.anything(), 0])
    const assets = reference.assets.map(each => (each.name === 'BTC' ? { ...each, decimals: 6 } : each))
    await writeLog(own, [reference, { ...reference, assets }])
    const result = await runService('repartition', { STREAM: own })
    expect(words(result)).toContain('output-refused')
    expect(words(result)).toContain('decimals of asset 1 was 8 and would be 6; it never changes')
    expect(result.exitCode).toBe(3)
  })
})

/** A log of nothing but reference data, as a bridge would have written it. */
const writeLog = async (own: string, references: readonly ReferenceData[]): Promise<void> => {
  const { topics, transactionalIds } = namesOf(own)
  const kafka = openBroker(stack, 'bad-input')
  const firstPos = 1_700_000_000_000_000n
  const records = references.map((reference, index): LogRecord => {
    const at = { epoch: 1n, random: 2n, seq: BigInt(index) + 1n, chain: Buffer.alloc(32, index) }
    const output = { time: firstPos, reference, orders: [], trades: [], changes: [] }
    return { kind: 'Reference', pos: pos(firstPos + BigInt(index)), at, output }
  })
  try {
    const writer = await kafka.openTxWriter({ transactionalId: transactionalIds.bridge })
    await writer.commitBatch({
      records: records.map(record => ({
        topic: topics.log,
        partition: 0,
        key: null,
        value: encodeLogRecord(record),
        timestampMs: record.pos / 1000n,
      })),
    })
    await writer.close()
  } finally {
    await kafka.close()
  }
}

describe('a malformed flow file', () => {
  test('names the line and the reason, with the same exit code from engine and demo', async () => {
    const file = join(folder, 'broken.csv')
    writeFileSync(file, '34200.1,1,5,100,5000000,1\n34200.2,1,6,ten,5000000,-1\n')
    const engine = await runEngine({ ENGINE_DATA_DIR: join(folder, 'engine-flow'), ENGINE_FLOW_FILE: file })
    expect(words(engine)).toMatch(/broken\.csv.*2.*ten/s)
    expect(engine.exitCode).toBe(2)
    const demo = await runEntry(demoEntry, {
      env: { ...inheritedEnvironment(), SETTLE_DATA: stack.dataDir, FLOW: file },
      withinMs,
    })
    expect(words(demo)).toMatch(/broken\.csv.*2.*ten/s)
    expect(demo.exitCode).toBe(2)
  })
})
