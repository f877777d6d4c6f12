import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlStatement,
  CqlTuple,
  CqlVarint,
} from '../../runtime/cql/port.ts'

const cell = (user: bigint, at: bigint, values: readonly [bigint, bigint, bigint, bigint]): CqlStatement => ({
  cql: 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?',
  params: [user, 1, new CqlTuple(...values), at],
})

/** What every CqlPort must do, because the services rely on it; the store has the migrations' tables, and no rows. */
export const cqlContract = (start: () => Promise<CqlPort>): void => {
  let cql: CqlPort
  beforeAll(async () => {
    cql = await start()
  })
  afterAll(() => cql?.close())

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
          await cql.write([cql.pack({ ...table, params: [user, 1n, frozen, version, [posting, posting], at] })])
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
      await expect(cql.query('SELECT bal FROM balances WHERE user_id = ?', [-(2n ** 63n) - 1n])).rejects.toThrow(
        /int64/,
      )
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
      // In the order of the type; what it leaves out at the end is null.
      const place = { order_id: 7n, pos: 8n, time: 9n, symbol: 1, side: 'Buy', order_type: 'Limit' }
      const order = { ...place, time_in_force: 'GoodTillCancel', price: 2n ** 63n - 1n }
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
      expect(generations.length).toBeGreaterThan(0)
      expect(generations[0]).toBeGreaterThan(1_000_000_000)
      expect(await cql.commitLogSyncMs()).toBeGreaterThan(0)
    })
  })
}
