import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { up } from '../../local/stack.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openCql } from '../../runtime/cql/cql.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlStatement,
  CqlTuple,
  CqlVarint,
} from '../../runtime/cql/port.ts'
import { cqlMigrations } from '../../schemas/cql/migrations.ts'
import { checkStore, readStreamMeta } from '../../runtime/cql/stream-meta.ts'

const name = `cql_int_${process.pid}_${Date.now().toString(36)}`
const partitions = 4
const log = pino({ level: 'silent' })
let open: (options?: { readonly keyspace?: string }) => Promise<CqlPort>
let datacenter: string
let cql: CqlPort

const migrate = (over: Partial<Parameters<typeof migrateStore>[0]> = {}): ReturnType<typeof migrateStore> =>
  migrateStore({ open, keyspace: name, stream: name, partitions, datacenter, replicationFactor: 1, ...over })

beforeAll(async () => {
  const { cassandra } = await up({ servers: ['cassandra'] })
  datacenter = cassandra.localDataCenter
  open = (options = {}) =>
    openCql({
      contactPoints: cassandra.contactPoints.map(host => `${host}:${cassandra.port}`),
      datacenter,
      username: '',
      password: '',
      inFlight: 64,
      log,
      clock: systemClock,
      ...options,
    })
  await migrate()
  cql = await open({ keyspace: name })
})

afterAll(async () => {
  await cql?.define(`DROP KEYSPACE IF EXISTS ${name}`)
  await cql?.close()
})

const cell = (user: bigint, at: bigint, values: readonly [bigint, bigint, bigint, bigint]): CqlStatement => ({
  cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
  params: [user, 1, new CqlTuple(...values), at],
})
const balance = async (user: bigint): Promise<unknown> =>
  (await cql.query('SELECT bal, writetime(bal) AS at FROM balances WHERE user_id = ? AND asset = ?', [user, 1]))[0]

describe('values', () => {
  const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
  test('any int64 comes back from a key, a tuple, a list of rows and a map as it was, any varint from a map', async () => {
    const sum = fc.bigInt(-(10n ** 38n), 10n ** 38n)
    // Each try overwrites the last one where keys repeat.
    let at = 0n
    await fc.assert(
      fc.asyncProperty(int64, fc.tuple(int64, int64, int64, int64), sum, async (user, values, total) => {
        const table = {
          cql: 'INSERT INTO history (user_id, bucket, pos, time, postings) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?',
        }
        const [available, frozen, version, ref] = values
        const posting = {
          idx: 3,
          asset: 1,
          delta_available: user,
          delta_frozen: 0n,
          available,
          frozen,
          version,
          reason: '',
          ref,
        }
        at++
        await cql.write([cell(user, at, values)])
        await cql.write([{ ...table, params: [user, 1n, frozen, version, [posting, posting], at] }])
        expect(await balance(user)).toEqual({ bal: values, at })
        const sums = new Map([
          [7, new CqlVarint(total)],
          [-1, new CqlVarint(0n)],
        ])
        await cql.write([
          {
            cql: 'INSERT INTO intervals (barrier_pos, part, sums, n) VALUES (?, ?, ?, ?) USING TIMESTAMP ?',
            params: [user, 0, sums, ref, at],
          },
        ])
        expect(
          await cql.query('SELECT pos, time, postings FROM history WHERE user_id = ? AND bucket = ? AND pos = ?', [
            user,
            1n,
            frozen,
          ]),
        ).toEqual([{ pos: frozen, time: version, postings: [posting, posting] }])
        expect(await cql.query('SELECT sums, n FROM intervals WHERE barrier_pos = ?', [user])).toEqual([
          {
            sums: new Map([
              [-1, 0n],
              [7, total],
            ]),
            n: ref,
          },
        ])
      }),
      {
        numRuns: 30,
        examples: [
          [2n ** 63n - 1n, [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n], 10n ** 38n - 1n],
          [-(2n ** 63n), [1n, 2n ** 62n, -(2n ** 63n), 3n], -(10n ** 38n) + 1n],
        ],
      },
    )
  })

  test('beyond int64 nothing is sent', async () => {
    await expect(cql.write([cell(1n, 1n, [2n ** 63n, 0n, 0n, 0n])])).rejects.toMatchObject({
      kind: 'refused',
      code: 'out-of-range',
    })
    await expect(cql.query('SELECT bal FROM balances WHERE user_id = ?', [-(2n ** 63n) - 1n])).rejects.toThrow(/int64/)
  })

  test('null and empty lists are not written: they leave what is there, and no tombstone', async () => {
    const insert = 'INSERT INTO history (user_id, bucket, pos, time, trades) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?'
    await cql.write([{ cql: insert, params: [5n, 2n, 1n, 9n, [], 1n] }])
    await cql.write([{ cql: insert, params: [5n, 2n, 1n, null, [], 2n] }])
    const select = 'SELECT time, orders, trades FROM history WHERE user_id = ? AND bucket = ?'
    expect(await cql.query(select, [5n, 2n])).toEqual([{ time: 9n, orders: null, trades: null }])
  })
})

describe('writes', () => {
  test('a cell is the newest by its timestamp, whatever comes late or again', async () => {
    const writes = [
      cell(100n, 30n, [3n, 0n, 3n, 30n]),
      cell(100n, 10n, [1n, 0n, 1n, 10n]),
      cell(100n, 20n, [2n, 0n, 2n, 20n]),
    ]
    for (const each of [...writes, ...writes]) await cql.write([each])
    expect(await balance(100n)).toEqual({ bal: [3n, 0n, 3n, 30n], at: 30n })
  })

  test('an empty list within a tuple is null there, and the cell no tombstone', async () => {
    const cellAt = (list: readonly CqlParam[], at: bigint): CqlStatement => ({
      cql: 'INSERT INTO open_orders (user_id, slot, orders) VALUES (?, ?, ?) USING TIMESTAMP ?',
      params: [200n, 1, new CqlTuple(list, at), at],
    })
    const rows = (): Promise<readonly unknown[]> =>
      cql.query('SELECT orders, writetime(orders) AS at FROM open_orders WHERE user_id = ?', [200n])
    const order = { order_id: 7n, price: 2n ** 63n - 1n, side: 'Buy' }
    await cql.write([cellAt([order], 10n)])
    expect(await rows()).toEqual([{ orders: [[expect.objectContaining(order)], 10n], at: 10n }])
    await cql.write([cellAt([], 20n)])
    expect(await rows()).toEqual([{ orders: [null, 20n], at: 20n }])
    await cql.write([cellAt([order], 15n)])
    expect(await rows()).toEqual([{ orders: [null, 20n], at: 20n }])
  })

  test('more statements than one batch takes arrive, of several tables that share the key', async () => {
    const many = Array.from({ length: 450 }, (_, at) => ({
      cql: 'INSERT INTO history_buckets (user_id, bucket) VALUES (?, ?) USING TIMESTAMP ?',
      params: [300n, BigInt(at), 1n],
    }))
    await cql.write([...many, cell(300n, 1n, [1n, 1n, 1n, 1n])])
    expect((await cql.query('SELECT bucket FROM history_buckets WHERE user_id = ?', [300n])).length).toBe(450)
    expect(await balance(300n)).toBeDefined()
    // In pages, the newest first.
    const buckets: unknown[] = []
    for await (const row of cql.scan('SELECT bucket FROM history_buckets WHERE user_id = ?', [300n], { pageRows: 7 }))
      buckets.push(row['bucket'])
    expect(buckets).toEqual(Array.from({ length: 450 }, (_, at) => 449n - BigInt(at)))
  })

  test('thousands at once wait for their turn', async () => {
    const users = Array.from({ length: 5_000 }, (_, at) => 10_000n + BigInt(at))
    await Promise.all(users.map(user => cql.write([cell(user, 1n, [user, 0n, 1n, 1n])])))
    const [row] = await cql.query('SELECT bal FROM balances WHERE user_id = ?', [14_999n])
    expect(row).toEqual({ bal: [14_999n, 0n, 1n, 1n] })
  })

  test('what sending again can not mend is told at once, and an abort ends the waiting', async () => {
    const wrong = { cql: 'INSERT INTO nowhere (a) VALUES (?) USING TIMESTAMP ?', params: [1n, 1n] }
    await expect(cql.write([wrong])).rejects.toMatchObject({ kind: 'refused', code: 'invalid' })
    await expect(cql.query('SELEKT')).rejects.toBeInstanceOf(CqlFailure)
    await expect(cql.write([cell(1n, 1n, [1n, 0n, 1n, 1n])], AbortSignal.abort())).rejects.toMatchObject({
      kind: 'aborted',
    })
  })
})

describe('nodes', () => {
  test('tell their generation and sync period', async () => {
    const generations = [...(await cql.nodeGenerations()).values()]
    expect(generations.length).toBe(1)
    expect(generations[0]).toBeGreaterThan(1_000_000_000)
    expect(await cql.commitLogSyncMs()).toBeGreaterThan(0)
  })

  test('a store that is not there is named within the bound', async () => {
    const silent = {
      contactPoints: ['127.0.0.1:1'],
      datacenter,
      username: '',
      password: '',
      inFlight: 1,
      log,
      clock: systemClock,
    }
    await expect(openCql({ ...silent, openForMs: 300 })).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('127.0.0.1:1') as string,
    })
  })

  test('another data center is refused with its setting', async () => {
    const found = await up({ servers: ['cassandra'] })
    const contactPoints = found.cassandra.contactPoints.map(host => `${host}:${found.cassandra.port}`)
    const other = openCql({
      contactPoints,
      datacenter: 'elsewhere',
      username: '',
      password: '',
      inFlight: 1,
      log,
      clock: systemClock,
      openForMs: 300,
    })
    await expect(other).rejects.toMatchObject({
      code: 'store-refused',
      message: expect.stringContaining('elsewhere') as string,
    })
  })
})

describe('the keyspace', () => {
  const whose = { keyspace: name, stream: name, partitions }
  test('is made once, and a second init changes nothing', async () => {
    expect(await migrate()).toEqual({ applied: [] })
    expect(await readStreamMeta(cql)).toEqual({ stream: name, partitions, schemaVersion: 1 })
    await checkStore(cql, whose)
  })

  test('is brought forward by a later migration, also one that was cut off; an older program then refuses it', async () => {
    const keyspace = `${name}_forward`
    const next = {
      version: 2,
      file: '002-next.cql',
      statements: [
        'ALTER TABLE trades ADD venue int',
        'CREATE TABLE IF NOT EXISTS venues (venue int, name text, PRIMARY KEY (venue))',
      ],
    }
    const migrations = [...cqlMigrations, next]
    await migrate({ keyspace })
    const store = await open({ keyspace })
    const write = 'INSERT INTO trades (trade_id, pos) VALUES (?, ?) USING TIMESTAMP ?'
    await store.write([{ cql: write, params: [1n, 7n, 7n] }])
    // The first statement of an init that was cut off.
    await store.define(next.statements[0] as string)
    expect(await migrate({ keyspace, migrations })).toEqual({ applied: ['002-next.cql'] })
    expect(await migrate({ keyspace, migrations })).toEqual({ applied: [] })
    expect(await store.query('SELECT pos, venue FROM trades WHERE trade_id = ?', [1n])).toEqual([
      { pos: 7n, venue: null },
    ])
    await expect(checkStore(store, { ...whose, keyspace })).rejects.toMatchObject({ code: 'schema-version' })
    await expect(migrate({ keyspace })).rejects.toThrow(/has schema version 2, this program knows 1/)
    await store.define(`DROP KEYSPACE ${keyspace}`)
    await store.close()
  })

  test('of another stream or P is refused by init and by start', async () => {
    await expect(migrate({ stream: 'other' })).rejects.toMatchObject({ code: 'keyspace-other-stream' })
    await expect(migrate({ partitions: 5 })).rejects.toMatchObject({ code: 'keyspace-other-partitions' })
    await expect(checkStore(cql, { ...whose, stream: 'other' })).rejects.toMatchObject({
      code: 'keyspace-other-stream',
    })
    await expect(checkStore(cql, { ...whose, partitions: 5 })).rejects.toThrow(/4 partitions, PARTITIONS says 5/)
  })

  test('that does not exist, or was never initialised, is told with the way out', async () => {
    await expect(open({ keyspace: 'not_there' })).rejects.toMatchObject({
      code: 'keyspace-missing',
      message: expect.stringContaining('settle init') as string,
    })
    const bare = await open()
    await expect(checkStore(bare, { ...whose, keyspace: 'not_there' })).rejects.toMatchObject({
      code: 'keyspace-not-initialised',
    })
    await bare.close()
  })

  test('with other columns is refused by name', async () => {
    await cql.define('ALTER TABLE trades ADD intruder int')
    await expect(checkStore(cql, whose)).rejects.toThrow(/trades\.intruder \(int regular\) does not belong there/)
    await expect(migrate()).rejects.toMatchObject({ code: 'schema-drift' })
    await cql.define('ALTER TABLE trades DROP intruder')
    await cql.define('DROP TABLE house')
    await expect(checkStore(cql, whose)).rejects.toThrow(/house\.id is missing/)
  })
})
