import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { pos } from '../../core/ids.ts'
import { up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import { KafkaFailure, type KafkaPort, type TxWriter } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { toCommitted } from '../../runtime/reader/progress.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import { migrations } from '../../schemas/starrocks/migrations.ts'
import { inheritedEnvironment } from '../../sim/pipeline/inherited-environment.ts'
import { busyOutputs } from '../../sink-starrocks/load/testing/busy-outputs.ts'
import { loadWholeTopic } from '../../sink-starrocks/load/testing/load-whole-topic.ts'
import { userTopic } from '../../sink-starrocks/load/testing/user-topic.ts'

const partitions = 4
const stream = `load_int_${process.pid}`
const calm = `${stream}_calm`
const names = namesOf(stream)
const access = { user: 'root', password: '' }

const topic = userTopic(busyOutputs(6_000), { partitions, barrierEvery: 50 })

type Life = { readonly child: ChildProcess; readonly output: () => string }
const lives = new Set<Life>()

const start = (file: string, env: Readonly<Record<string, string>>): Life => {
  const child = spawn(process.execPath, [file], { env: { ...inheritedEnvironment(), STOP_LINGER_MS: '0', ...env } })
  let text = ''
  for (const stdio of [child.stdout, child.stderr]) stdio?.on('data', (data: Buffer) => (text += data.toString()))
  const life = { child, output: () => text }
  lives.add(life)
  return life
}

/** Ends a process; its exit code, or null when the signal did it. */
const ended = async (life: Life, signal?: NodeJS.Signals): Promise<number | null> => {
  const { child } = life
  if (child.exitCode === null && child.signalCode === null) {
    const exit = new Promise<void>(resolve => child.once('exit', () => resolve()))
    if (signal) child.kill(signal)
    await exit
  }
  lives.delete(life)
  return child.exitCode
}

type Doors = { readonly feHttp: number; readonly beHttp: number; readonly mysql: number }

let directory: string
let kafka: KafkaPort
let writer: TxWriter
let brokers: string
let standIn: Life
let doors: Doors

/** Starts the stand-in at the doors it had, if it had any. */
const startStandIn = async (before?: Doors): Promise<void> => {
  standIn = start('local/starrocks/main.ts', {
    STARROCKS_DIR: join(directory, 'starrocks'),
    STARROCKS_FE_HTTP_PORT: `${before?.feHttp ?? 0}`,
    STARROCKS_BE_HTTP_PORT: `${before?.beHttp ?? 0}`,
    STARROCKS_MYSQL_PORT: `${before?.mysql ?? 0}`,
  })
  const line = await vi.waitUntil(() => /^\{"ready".*$/m.exec(standIn.output())?.[0], { timeout: 20_000, interval: 50 })
  doors = JSON.parse(line) as Doors
}

const openSql = (database?: string): SqlPort =>
  openMysql({ address: `127.0.0.1:${doors.mysql}`, ...access, ...(database !== undefined && { database }) })

const loadEnv = (): Record<string, string> => ({
  STREAM: stream,
  PARTITIONS: `${partitions}`,
  KAFKA_BROKERS: brokers,
  STARROCKS_HTTP: `http://127.0.0.1:${doors.feHttp}`,
  STARROCKS_LOAD_HOSTS: `127.0.0.1:${doors.beHttp}`,
  STARROCKS_MYSQL: `127.0.0.1:${doors.mysql}`,
  FLUSH_MS: '100',
  FLUSH_ROWS: '1500',
})
const startLoad = (env: Readonly<Record<string, string>> = {}): Life =>
  start('sink-starrocks/load/main.ts', { ...loadEnv(), ...env })

const progress = async (): Promise<number> => {
  const committed = await kafka
    .committed({ group: names.groups.load, topic: names.topics.users })
    .catch((error: unknown) => {
      // Kafka is busy with members that come and go: whoever waits asks again.
      if (error instanceof KafkaFailure && error.kind === 'retriable') return new Map<number, { metadata: string }>()
      throw error
    })
  return [...committed.values()].reduce((sum, { metadata }) => sum + Number(/^n=(\d+)/.exec(metadata)?.[1] ?? 0), 0)
}

const sending = topic
  .flatMap((each, partition) => each.map(record => ({ record, partition })))
  .sort((a, b) => Number(a.record.pos - b.record.pos || a.record.n - b.record.n))
  .map(({ record, partition }) => ({
    topic: names.topics.users,
    partition,
    key: null,
    value: encodeUserRecord(record),
    timestampMs: record.pos / 1000n,
  }))
let sent = 0

/** Sends what is missing up to a part of all records, in many transactions: their markers leave holes between the offsets. */
const sendUpTo = async (part: number): Promise<void> => {
  const end = Math.floor(sending.length * part)
  for (; sent < end; sent = Math.min(sent + 1000, end))
    await writer.commitBatch({ records: sending.slice(sent, Math.min(sent + 1000, end)) })
}
const waitForProgress = (part: number): Promise<unknown> =>
  vi.waitUntil(
    async () => {
      for (const { child, output } of lives)
        if (child.exitCode !== null) throw new Error(`a process ended with ${child.exitCode}: ${output().slice(-2000)}`)
      return (await progress()) >= sending.length * part
    },
    { timeout: 150_000, interval: 100 },
  )

const tables = ['trades', 'user_trades', 'orders', 'order_events', 'ledger', 'balances', 'assets', 'symbols']
const contents = async (database: string): Promise<unknown> => {
  const sql = openSql(database)
  const rows = await Promise.all(tables.map(table => sql.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`)))
  await sql.close()
  return rows
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'settle-load-'))
  await startStandIn()
  const stack = await up({ servers: ['kafka'] })
  brokers = stack.kafka.brokers.join()
  kafka = openKafka({
    brokers: stack.kafka.brokers,
    clientId: stream,
    log: pino({ level: 'silent' }),
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
  await kafka.admin.createTopics([{ topic: names.topics.users, partitions, replicationFactor: 1, config: {} }])
  writer = await kafka.openTxWriter({ transactionalId: `${stream}.writer` })
})

afterAll(async () => {
  await Promise.all([...lives].map(life => ended(life, 'SIGKILL')))
  await writer?.close()
  await kafka?.admin.deleteTopics([names.topics.users])
  await kafka?.close()
  if (directory) await rm(directory, { recursive: true, force: true })
})

describe('what is not as it should be at start', () => {
  it('ends with the code for settings, all of them named', async () => {
    const life = startLoad({ PARTITIONS: 'many', STARROCKS_HTTP: 'ftp://x', FLUSH_MS: '1', STARROCKS_MYSQL: '' })
    expect(await ended(life)).toBe(2)
    for (const name of ['PARTITIONS="many"', 'STARROCKS_HTTP="ftp://x"', 'FLUSH_MS="1"', 'STARROCKS_MYSQL is not set'])
      expect(life.output()).toContain(name)
    const related = startLoad({ FLUSH_MS: '60000', LOAD_TIMEOUT_MS: '1000', DRAIN_TIMEOUT_MS: '5000' })
    expect(await ended(related)).toBe(2)
    expect(related.output()).toContain('FLUSH_MS=60000 is longer than LOAD_TIMEOUT_MS=1000')
    expect(related.output()).toContain('DRAIN_TIMEOUT_MS=5000: a load under way is given 5000 ms')
  })

  it('names a StarRocks that is not there, and a database that is not', async () => {
    const nobody = startLoad({ STARROCKS_MYSQL: '127.0.0.1:1' })
    expect(await ended(nobody)).toBe(1)
    expect(nobody.output()).toMatch(/starrocks-unreachable.*check that StarRocks runs/)
    const nothing = startLoad()
    expect(await ended(nothing)).toBe(3)
    expect(nothing.output()).toContain(`no database ${stream}; run: settle init`)
  })
})

const migrate = (database: string) =>
  migrateStarRocks({ database, stream: database, partitions, openSql, replicationNum: 1, mode: 'apply' })

describe('a table that is not as it was made', () => {
  it('ends the start with its code: the column that is missing, or has another type', async () => {
    const drifted = `${stream}_drift`
    await migrate(drifted)
    const sql = openSql(drifted)
    const ddl = migrations.flatMap(each => each.statements).find(each => each.includes('EXISTS trades (')) ?? ''
    for (const [changed, complaint] of [
      [ddl.replace(/,\n {2}idx INT[^\n]*/, ''), 'trades, column idx: expected int NOT NULL, found nothing'],
      [ddl.replace('price_units BIGINT', 'price_units INT'), 'column price_units: expected bigint NOT NULL, found int'],
    ] as const) {
      await sql.query('DROP TABLE trades')
      await sql.query(changed)
      const life = startLoad({ STREAM: drifted })
      expect(await ended(life)).toBe(3)
      expect(life.output()).toContain('schema-drift')
      expect(life.output()).toContain(complaint)
    }
    await sql.close()
  })
})

describe('instances of the service', () => {
  it('leave the same rows as one that nothing happened to, killed, stopped and without StarRocks on the way', async () => {
    for (const each of [stream, calm]) await migrate(each)
    const first = toCommitted({ offset: 0n, n: 0n, pos: pos(0n) })
    await kafka.admin.setOffsets({
      group: names.groups.load,
      topic: names.topics.users,
      offsets: new Map(topic.map((_, partition) => [partition, first])),
    })
    const [one, two, three] = [startLoad(), startLoad(), startLoad()]
    await sendUpTo(0.25)
    await waitForProgress(0.1)
    await ended(one, 'SIGKILL')
    await sendUpTo(0.5)
    await waitForProgress(0.3)
    const stopped = await ended(two, 'SIGTERM')
    expect({ stopped, output: stopped === 0 ? '' : two.output() }).toEqual({ stopped: 0, output: '' })
    await waitForProgress(0.45)
    await ended(standIn, 'SIGKILL')
    // Only now: however fast the load is, it has something left that StarRocks cannot take. It may not even have
    // opened what it was given for the one that left.
    await sendUpTo(0.75)
    await vi.waitUntil(() => /load not done|reference data not read/.test(three.output()), { timeout: 30_000 })
    await startStandIn(doors)
    const others = [startLoad(), startLoad()]
    await waitForProgress(0.7)
    await sendUpTo(1)
    expect(await ended(three, 'SIGTERM')).toBe(0)
    await waitForProgress(1)
    for (const each of others) expect(await ended(each, 'SIGTERM')).toBe(0)

    await loadWholeTopic({ topic, stream: calm, doors })
    expect(await contents(stream)).toEqual(await contents(calm))
  }, 480_000)
})
