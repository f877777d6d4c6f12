import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stack, up } from '../../local/stack.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { type Ran, runSettle } from '../pipeline/run-settle.ts'
import { openBroker, openStore } from '../pipeline/stack-clients.ts'

const partitions = 3
let stack: Stack
let kafka: KafkaPort
let cql: CqlPort
let sql: SqlPort
let archiveDir: string
let streams = 0

beforeAll(async () => {
  stack = await up()
  archiveDir = mkdtempSync(join(tmpdir(), 'settle-init-'))
  kafka = openBroker(stack, 'init-test')
  cql = await openStore(stack)
  const { mysqlHost, mysqlPort, user, password } = stack.starrocks
  sql = openMysql({ address: `${mysqlHost}:${mysqlPort}`, user, password })
})

afterAll(async () => {
  await kafka?.close()
  await cql?.close()
  await sql?.close()
  rmSync(archiveDir, { recursive: true, force: true })
})

/** Made by the first test, used by those that leave it as it is. */
const names = namesOf(`init_${process.pid}`)
const newStream = (): StreamNames => namesOf(`init_${process.pid}_${++streams}`)

type Told = { readonly rows: readonly { readonly thing: string; readonly done: string }[] }

const settle = (
  { stream }: StreamNames,
  args: readonly string[],
  over: Readonly<Record<string, string>> = {},
): Promise<Ran> =>
  runSettle(stack, { args, env: { STREAM: stream, PARTITIONS: `${partitions}`, ARCHIVE_DIR: archiveDir, ...over } })

const done = ({ out }: Ran): readonly string[] => (JSON.parse(out) as Told).rows.map(row => row.done)

/** Refused, with this in its words, and without having made anything. */
const expectRefused = async (names: StreamNames, problem: string, over: Readonly<Record<string, string>> = {}) => {
  const refused = await settle(names, ['init'], over)
  expect(refused.exitCode).toBe(3)
  expect(refused.err).toContain('nothing was made')
  expect(refused.err).toContain(problem)
}

describe('settle init', () => {
  test('makes a stream, and the second time nothing', async () => {
    const { topics, groups } = names
    const planned = await settle(names, ['init', '--dry-run', '--json'])
    expect(planned.exitCode).toBe(0)
    expect(new Set(done(planned))).toEqual(new Set(['would be made']))
    expect((await kafka.admin.partitionCounts(Object.values(topics))).size).toBe(0)

    const made = await settle(names, ['init', '--json'])
    expect(made.exitCode).toBe(0)
    expect(new Set(done(made))).toEqual(new Set(['made']))
    expect(await kafka.admin.partitionCounts(Object.values(topics))).toEqual(
      new Map([
        [topics.log, 1],
        [topics.users, partitions],
        [topics.commands, 1],
        [topics.clock, 1],
      ]),
    )
    const type = await kafka.admin.topicConfig(topics.clock, ['message.timestamp.type'])
    expect(type.get('message.timestamp.type')).toBe('LogAppendTime')
    const first = await kafka.committed({ group: groups.settle, topic: topics.users })
    expect([...first.values()]).toEqual(
      Array.from({ length: partitions }, () => ({ offset: 0n, metadata: 'n=0 pos=0' })),
    )

    const again = await settle(names, ['init', '--json'])
    expect(again.exitCode).toBe(0)
    expect(new Set(done(again))).toEqual(new Set(['was there']))
    expect((await settle(names, ['init'])).out).toContain('everything was there; nothing changed')
  })

  test('goes on where it was cut off', async () => {
    const names = newStream()
    await cql.define(
      `CREATE KEYSPACE ${names.keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    )
    await sql.query(`CREATE DATABASE ${names.database}`)
    const made = await settle(names, ['init', '--json'])
    expect([made.err, made.exitCode]).toEqual(['', 0])
    expect(new Set(done(await settle(names, ['init', '--json'])))).toEqual(new Set(['was there']))
  })

  test('refuses another number of partitions, in every place', async () => {
    const over = { PARTITIONS: '5' }
    await expectRefused(names, `topic ${names.topics.users} has 3 partitions, PARTITIONS says 5`, over)
    await expectRefused(names, `keyspace ${names.keyspace} was made for 3 partitions, PARTITIONS says 5`, over)
    await expectRefused(names, `StarRocks database ${names.database} was made for partitions 3`, over)
  })

  test('refuses a keyspace and a database of another stream, and a keyspace that is nobody’s', async () => {
    const [names, strange] = [newStream(), newStream()]
    await settle(names, ['init'])
    const update = `UPDATE ${names.keyspace}.stream_meta USING TIMESTAMP ? SET value = ? WHERE name = ?`
    await cql.write([{ cql: update, params: [2n, 'other', 'stream'] }])
    await sql.query(`UPDATE ${names.database}.stream_meta SET \`value\` = 'other' WHERE \`name\` = 'stream'`)
    await expectRefused(names, `keyspace ${names.keyspace} belongs to stream other`)
    await expectRefused(names, `StarRocks database ${names.database} was made for stream other`)
    await cql.define(
      `CREATE KEYSPACE ${strange.keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    )
    await cql.define(`CREATE TABLE ${strange.keyspace}.wallets (id int, PRIMARY KEY (id))`)
    await expectRefused(strange, `keyspace ${strange.keyspace} has tables (wallets) and no stream_meta`)
    expect((await kafka.admin.partitionCounts([strange.topics.log])).size).toBe(0)
  })

  test('refuses tables with other columns', async () => {
    const names = newStream()
    await settle(names, ['init'])
    await cql.define(`ALTER TABLE ${names.keyspace}.trades DROP taker`)
    await expectRefused(names, 'trades.taker is missing')
    await sql.query(`ALTER TABLE ${names.database}.trades ADD COLUMN extra BIGINT NOT NULL DEFAULT "0"`)
    await expectRefused(names, `${names.database}.trades, column extra`)
  })

  test('a topic that was removed takes its groups’ offsets with it, and both are made anew', async () => {
    const names = newStream()
    await settle(names, ['init'])
    await kafka.admin.deleteTopics([names.topics.users])
    const remade = await settle(names, ['init', '--json'])
    expect([remade.err, remade.exitCode]).toEqual(['', 0])
    expect(done(remade).filter(each => each === 'made')).toHaveLength(4)
  })

  test('servers that are not there are named, with the setting', async () => {
    const names = newStream()
    const away = await settle(names, ['init', '--json'], { KAFKA_BROKERS: '127.0.0.1:9' })
    expect(away.exitCode).toBe(1)
    expect(away.err).toContain('KAFKA_BROKERS')
    expect(JSON.parse(away.out)).toMatchObject({ error: { code: 'kafka-retriable' } })
    const lost = await settle(names, ['init'], { STARROCKS_MYSQL: '127.0.0.1:9' })
    expect(lost.exitCode).toBe(1)
    expect(lost.err).toContain('StarRocks at 127.0.0.1:9')
    expect((await kafka.admin.partitionCounts([names.topics.log])).size).toBe(0)
  })
})

describe('a new stream', () => {
  test('has a status that says whom to start', async () => {
    const before = await settle(newStream(), ['status'])
    expect(before.exitCode).toBe(1)
    expect(before.out).toMatch(/topic .*\.engine\.outputs does not exist; run: settle init/)
    const after = await settle(names, ['status'])
    expect(after.exitCode).toBe(1)
    expect(after.out).toContain(`nobody is in group ${names.groups.settle}; start processor/settle/main.ts`)
    expect(after.out).toMatch(/: 6 problems$/)
  })

  test('can not be verified before there is a barrier, and never without its archive or its store', async () => {
    const strange = newStream()
    const missing = await settle(strange, ['verify'])
    expect(missing.exitCode).toBe(3)
    expect(missing.err).toContain(`keyspace ${strange.keyspace} does not exist`)
    const early = await settle(names, ['verify', '--wait-ms', '300'])
    expect(early.exitCode).toBe(1)
    expect(early.err).toContain('there is no common barrier yet after')
    const nowhere = await settle(names, ['verify', '--json'], { ARCHIVE_DIR: join(archiveDir, 'gone') })
    expect(nowhere.exitCode).toBe(1)
    expect(JSON.parse(nowhere.out)).toMatchObject({ error: { code: 'archive-unreadable' } })
    expect(nowhere.out).not.toContain('equal')
  })
})

describe('a stream that was tampered with', () => {
  test('refuses a group that read another topic of this name', async () => {
    const offsets = new Map([[1, { offset: 7n, metadata: 'n=7 pos=70' }]])
    await kafka.admin.setOffsets({ group: names.groups.load, topic: names.topics.users, offsets })
    await expectRefused(names, 'partition 1, offset 7 is outside what the topic holds, 0 to 0')
  })
})
