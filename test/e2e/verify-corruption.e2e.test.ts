import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stack, up } from '../../local/stack.ts'
import { type CqlParam, type CqlPort, CqlTuple } from '../../runtime/cql/port.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { decodeUserRecord, encodeUserRecord } from '../../schemas/codec.ts'
import type { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { newPipeline, newStream, runToTheEnd } from '../pipeline/run-to-the-end.ts'
import { openBroker, openStore } from '../pipeline/stack-clients.ts'

/** The rate makes the flow last while it is verified the first time. */
const engine = { ENGINE_SEED: '11', ENGINE_USERS: '30', ENGINE_ORDERS: '800', ENGINE_RATE: '60' }
const verifyMs = 120_000

let stack: Stack
let pipeline: Pipeline
let names: StreamNames
let cql: CqlPort
let sql: SqlPort
let kafka: KafkaPort
/** What verify said while the services ran. */
let beside: string

beforeAll(async () => {
  stack = await up()
  const stream = newStream('corrupt')
  names = namesOf(stream)
  await runToTheEnd(stack, {
    stream,
    engine,
    meanwhile: async running => {
      const { stdout, stderr } = await running.settle(['verify', '--wait-ms', `${verifyMs}`], {
        withinMs: 2 * verifyMs,
      })
      beside = `${stdout}${stderr}`
    },
  })
  pipeline = await newPipeline(stack, { stream, engine })
  cql = await openStore(stack, stream)
  const { mysqlHost, mysqlPort, user, password } = stack.starrocks
  sql = openMysql({ address: `${mysqlHost}:${mysqlPort}`, user, password, database: names.database })
  kafka = openBroker(stack, 'corruption')
})

afterAll(async () => {
  await cql?.close()
  await sql?.close()
  await kafka?.close()
})

/** Breaks one thing, sees `settle verify` name it and nothing else, and mends it. */
const expectFound = async (broken: () => Promise<void>, mended: () => Promise<void>, ...named: readonly RegExp[]) => {
  await broken()
  const { exitCode, stdout } = await pipeline.settle(['verify'], { withinMs: verifyMs })
  expect(exitCode).toBe(1)
  expect(stdout).toMatch(/^verify: [1-9]\d* differences?$/m)
  for (const each of named) expect(stdout).toMatch(each)
  await mended()
}

const expectEqual = async (): Promise<void> => {
  const { exitCode, stdout } = await pipeline.settle(['verify'], { withinMs: verifyMs })
  expect(stdout).toMatch(/^verify: equal$/m)
  expect(exitCode).toBe(0)
}

test('nobody is blamed while everything runs', () => {
  expect(beside).toMatch(/^verify: equal$/m)
})

test('a balance cell of the store', async () => {
  const [row = {}] = await cql.query('SELECT user_id, asset, bal FROM balances LIMIT 1')
  const [user, asset] = [row['user_id'] as bigint, row['asset'] as number]
  const [available, frozen, version, pos] = row['bal'] as unknown as [bigint, bigint, bigint, bigint]
  const write = (value: bigint, at: bigint): Promise<void> =>
    cql.write([
      {
        cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
        params: [user, asset, new CqlTuple(value, frozen, version, pos), at],
      },
    ])
  await expectFound(
    () => write(available + 1n, pos + 1n),
    () => write(available, pos + 2n),
    new RegExp(
      `^ScyllaDB balances: user_id=${user} asset=${asset}: available should be ${available}, found ${available + 1n}$`,
      'm',
    ),
    /^verify: 1 difference$/m,
  )
})

test('open orders, and how far a history is counted, of another record', async () => {
  const [open = {}] = await cql.query('SELECT user_id, slot, orders FROM open_orders LIMIT 1')
  const [orders, pos] = open['orders'] as unknown as [readonly CqlParam[] | null, bigint]
  const [user, slot] = [open['user_id'] as bigint, open['slot'] as number]
  const writeOpen = (list: readonly CqlParam[], at: bigint): Promise<void> =>
    cql.write([
      {
        cql: 'INSERT INTO open_orders (user_id, slot, orders) VALUES (?, ?, ?) USING TIMESTAMP ?',
        params: [user, slot, new CqlTuple(list, pos), at],
      },
    ])
  const [index = {}] = await cql.query('SELECT user_id, bucket, counted FROM history_buckets LIMIT 1')
  const [items, counted] = index['counted'] as unknown as [bigint, bigint]
  const [whose, bucket] = [index['user_id'] as bigint, index['bucket'] as bigint]
  const writeIndex = (value: bigint, at: bigint): Promise<void> =>
    cql.write([
      {
        cql: 'INSERT INTO history_buckets (user_id, bucket, counted) VALUES (?, ?, ?) USING TIMESTAMP ?',
        params: [whose, bucket, new CqlTuple(value, counted), at],
      },
    ])
  const added: CqlParam = { order_id: 0n, pos, time: 0n, symbol: 1, side: 'Buy', state: 'New' }
  await expectFound(
    async () => {
      await writeOpen([added, ...(orders ?? [])], pos + 1n)
      await writeIndex(items + 1n, counted + 1n)
    },
    async () => {
      await writeOpen(orders ?? [], pos + 2n)
      await writeIndex(items, counted + 2n)
    },
    new RegExp(`^ScyllaDB open_orders: user_id=${user} slot=${slot}: orders should be `, 'm'),
    new RegExp(
      `^ScyllaDB history_buckets: user_id=${whose} bucket=${bucket}: items should be ${items}, found ${items + 1n}$`,
      'm',
    ),
    /^verify: 2 differences$/m,
  )
})

test('a trade that is gone from the store', async () => {
  const [row = {}] = await cql.query('SELECT * FROM trades LIMIT 1')
  const [block, trade, pos] = [row['block'] as bigint, row['trade_id'] as bigint, row['pos'] as bigint]
  const remove = 'DELETE FROM trades USING TIMESTAMP ? WHERE block = ? AND trade_id = ?'
  const columns = Object.keys(row)
  const insert = `INSERT INTO trades (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')}) USING TIMESTAMP ?`
  const values = columns.map(column => row[column] as bigint | number | string)
  await expectFound(
    () => cql.write([{ cql: remove, params: [pos, block, trade] }]),
    () => cql.write([{ cql: insert, params: [...values, pos + 1n] }]),
    new RegExp(`^ScyllaDB trades: block=${block} trade_id=${trade}: missing, expected pos=${pos}`, 'm'),
    /^verify: 1 difference$/m,
  )
})

test('a row of StarRocks', async () => {
  const [row] = await sql.query('SELECT user_id, asset_id, `version`, available_units FROM ledger ORDER BY pos LIMIT 1')
  const { user_id, asset_id, version, available_units } = row as Readonly<Record<string, string | number>>
  const where = `user_id = ${user_id} AND asset_id = ${asset_id} AND \`version\` = ${version}`
  const write = async (value: bigint): Promise<void> => {
    await sql.query(`UPDATE ledger SET available_units = ${value} WHERE ${where}`)
  }
  const right = BigInt(available_units ?? 0)
  await expectFound(
    () => write(right - 7n),
    () => write(right),
    new RegExp(
      `^StarRocks ledger: user_id=${user_id} asset_id=${asset_id} version=${version} .*: available_units should be ${right}, found ${right - 7n}$`,
      'm',
    ),
  )
})

test('a byte of the archive', async () => {
  const all = (await readdir(pipeline.archiveDir, { recursive: true })).filter(name =>
    /outputs\.ledger\..*\.csv$/.test(name),
  )
  const path = join(pipeline.archiveDir, all.sort().at(0) as string)
  const right = await readFile(path)
  const wrong = Buffer.from(right)
  // The last digit of some number: still a row, but another one.
  const at = wrong.findLastIndex(byte => byte >= 0x30 && byte <= 0x38)
  wrong[at] = (wrong[at] as number) + 1
  await expectFound(
    () => writeFile(path, wrong),
    () => writeFile(path, right),
    /^CSV files: .*\.ledger\..*: its SHA-256 is [0-9a-f]{64}, its sidecar says [0-9a-f]{64}$/m,
    /^CSV ledger: /m,
  )
})

test('a foreign record in user.outputs', async () => {
  // All that was broken before is mended: verify blames nobody for good.
  await expectEqual()
  const [last] = await kafka.readTail({ topic: names.topics.users, partition: 0, count: 1 })
  const record = decodeUserRecord(last?.value as Buffer)
  const writer = await kafka.openTxWriter({ transactionalId: `${names.stream}.stranger` })
  const value = encodeUserRecord({ ...record, n: record.n + 1n })
  const foreign = { topic: names.topics.users, partition: 0, key: null, value, timestampMs: record.pos / 1000n }
  await expectFound(
    async () => {
      await writer.commitBatch({ records: [foreign] })
      await writer.close()
    },
    () => Promise.resolve(),
    /^Kafka user\.outputs: partition=0 offset=\d+: should not be there, found /m,
  )
})
