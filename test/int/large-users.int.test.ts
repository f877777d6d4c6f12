import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BalanceChange, Indexed, OrderUpdate, UserOutput, UserRecord } from '../../core/events.ts'
import { amount, assetId, orderId, pos, price, symbolId, tradeId, userId, version } from '../../core/ids.ts'
import { up } from '../../local/stack.ts'
import { FoldAlone } from '../../processor/settle/testing/fold-alone.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import type { CqlPort, CqlRow, CqlStatement } from '../../runtime/cql/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { idBlock } from '../../schemas/cql/placement.ts'
import { openStore } from '../pipeline/stack-clients.ts'
import { newStream } from '../pipeline/run-to-the-end.ts'

/**
 * The two users that tables are made for: the house, with a posting from every trade of a day, and a market maker who
 * cancels order after order. LARGE_RECORDS=1000000 is the whole of it; what `make test` takes rolls buckets too.
 */
const records = Number(process.env['LARGE_RECORDS'] ?? 60_000)
const dayUs = 86_400_000_000n
const stepUs = dayUs / BigInt(records)
const batchRecords = 1000
const [house, maker] = [userId(9n), userId(7n)]
const stream = newStream('large')
const { keyspace } = namesOf(stream)
/** The queries as docs/tables.md has them. */
const queries = new Map(
  [
    ...readFileSync(join(import.meta.dirname, '../../docs/tables.md'), 'utf8').matchAll(/```cql\n-- (.+)\n(.+)\n```/g),
  ].map(([, name = '', cql = '']) => [name, cql] as const),
)
const query = (name: string): string => {
  const cql = queries.get(name)
  if (cql === undefined) throw new Error(`docs/tables.md has no query ${name}`)
  return cql
}

let cql: CqlPort
beforeAll(async () => {
  const stack = await up({ servers: ['cassandra'] })
  await migrateStore({
    open: ({ keyspace: named }) => openStore(stack, named === undefined ? undefined : stream),
    keyspace,
    stream,
    partitions: 1,
    datacenter: stack.cassandra.localDataCenter,
    replicationFactor: 1,
  })
  cql = await openStore(stack, stream)
})
afterAll(async () => {
  await cql?.define(`DROP KEYSPACE IF EXISTS ${keyspace}`)
  await cql?.close()
})

const posOf = (at: number): bigint => 1_700_000_000_000_000n + BigInt(at) * stepUs
const head = (at: number) =>
  ({ kind: 'UserOutput', n: BigInt(at + 1), src: BigInt(at), pos: pos(posOf(at)), time: posOf(at) }) as const
const posting = (user: bigint, asset: number, value: bigint, at: bigint, ref: bigint): BalanceChange => ({
  user: userId(user),
  asset: assetId(asset),
  deltaAvailable: amount(1n),
  deltaFrozen: amount(0n),
  available: amount(value),
  frozen: amount(0n),
  version: version(at),
  reason: 'Fee',
  ref,
})
/** A fee from each trade; one in 1,000 in another asset. */
const rareEvery = 1000
const houseRecord = (at: number): UserOutput => {
  const rare = Math.floor(at / rareEvery)
  const isRare = at % rareEvery === rareEvery - 1
  const count = BigInt(isRare ? rare + 1 : at + 1 - rare)
  return {
    ...head(at),
    user: house,
    orders: [],
    trades: [],
    changes: [{ index: 4, value: posting(house, isRare ? 2 : 1, count, count, BigInt(at)) }],
  }
}
const order = (id: number, state: OrderUpdate['state'], index: number): Indexed<OrderUpdate> => ({
  index,
  value: {
    order: orderId(BigInt(id)),
    user: maker,
    symbol: symbolId(1),
    side: 'Buy',
    type: 'Limit',
    timeInForce: 'GoodTillCancel',
    price: price(100n),
    quantity: amount(10n),
    filled: amount(0n),
    remaining: amount(state === 'New' ? 10n : 0n),
    state,
    reason: state === 'New' ? '' : 'asked',
  },
})
/** Each record places an order and cancels the one from `kept` records before. */
const kept = 200
const makerRecord = (at: number): UserOutput => ({
  ...head(at),
  user: maker,
  orders: [order(at + 1, 'New', 0), ...(at >= kept ? [order(at + 1 - kept, 'Cancelled', 1)] : [])],
  trades: [],
  changes: [],
})

/** Writes all records through settle's own fold; several batches at once, since each write carries its timestamp. */
const write = async (recordOf: (at: number) => UserRecord, wanted: (row: CqlStatement) => boolean): Promise<void> => {
  const fold = new FoldAlone({ partition: 0 })
  const running = new Set<Promise<void>>()
  for (let at = 0; at < records; at += batchRecords) {
    const { history, cells } = fold.take(
      Array.from({ length: Math.min(batchRecords, records - at) }, (_, i) => recordOf(at + i)),
    )
    const writing = Promise.all([...history, ...cells].map(group => cql.write(group.filter(wanted)))).then(
      () => void running.delete(writing),
    )
    running.add(writing)
    if (running.size >= 8) await Promise.race(running)
  }
  await Promise.all(running)
}

type Page = { readonly bucket: bigint; readonly rows: readonly CqlRow[] }

/** The loop of docs/tables.md. */
async function* pages(user: bigint, kind: string, limit: number, from = 2n ** 63n - 1n): AsyncGenerator<Page> {
  let cursor = from
  for (;;) {
    const [next] = await cql.query(query('bucket'), [user, cursor])
    if (!next) return
    const bucket = next['bucket'] as bigint
    const rows = await cql.query(query(kind), [user, bucket, cursor, limit])
    yield { bucket, rows }
    cursor = rows.length < limit ? bucket : (rows.at(-1)?.['pos'] as bigint)
  }
}

const tombstonesRead = async (): Promise<readonly CqlRow[]> => {
  const rows: CqlRow[] = []
  for await (const row of cql.scan('SELECT * FROM system_views.tombstones_per_read'))
    if (row['keyspace_name'] === keyspace) rows.push(row)
  return rows
}

test(`a house with ${records} postings in a day is read page by page`, { timeout: 1_200_000 }, async () => {
  await write(houseRecord, () => true)
  const rowsOf = new Map<bigint, number>()
  let last = records
  for await (const { bucket, rows } of pages(house, 'statement', 1000)) {
    rowsOf.set(bucket, (rowsOf.get(bucket) ?? 0) + rows.length)
    // Newest first, none twice, none missing.
    for (const row of rows) if (row['pos'] !== posOf(--last)) expect(row['pos']).toBe(posOf(last))
  }
  expect(last).toBe(0)
  // By count: 50,000 and some thousands of luck.
  expect(Math.max(...rowsOf.values())).toBeLessThan(65_000)
  expect(rowsOf.size).toBeGreaterThanOrEqual(Math.floor(records / 60_000))

  // By asset: from the cell's pos, versions without holes, to version 1.
  const wallet = await cql.query(query('wallet'), [house])
  const cell = wallet.find(row => row['asset'] === 2) ?? {}
  const [, , newest, at] = cell['bal'] as unknown as [bigint, bigint, bigint, bigint]
  expect(newest).toBe(BigInt(Math.floor(records / rareEvery)))
  let expected = newest
  for await (const { rows } of pages(house, 'statement', 1000, at + 1n)) {
    const mine = rows.flatMap(row => row['postings'] as readonly CqlRow[]).filter(each => each['asset'] === 2)
    for (const each of mine) expect(each['version']).toBe(expected--)
    if (expected === 0n) break
  }
  expect(expected).toBe(0n)
})

test(`of a user with ${records} cancels all open orders are one page, without a tombstone`, {
  timeout: 1_200_000,
}, async () => {
  // Rows of orders are written for some only, which are looked at.
  const looked = (id: unknown): boolean => (id as bigint) % 1000n === 1n
  await write(makerRecord, ({ cql: text, params }) => !text.startsWith('INSERT INTO orders ') || looked(params[1]))
  const slots = await cql.query(query('open orders'), [maker])
  expect(slots.length).toBeLessThanOrEqual(32)
  const open = slots.flatMap(row => ((row['orders'] as readonly CqlRow[][])[0] ?? []).map(each => each['order_id']))
  expect(open.sort((a, b) => Number((a as bigint) - (b as bigint)))).toEqual(
    Array.from({ length: kept }, (_, i) => BigInt(records - kept + i + 1)),
  )

  const life = await cql.query(query('order'), [idBlock(orderId(1n)), 1n])
  expect(life.map(row => (row['updates'] as readonly CqlRow[]).map(each => each['state']))).toEqual([
    ['Cancelled'],
    ['New'],
  ])
  expect(await cql.query(query('trade'), [idBlock(tradeId(1n)), 1n])).toEqual([])

  let newest = records
  for await (const { rows } of pages(maker, 'orders', 500)) {
    for (const row of rows) {
      expect((row['orders'] as readonly CqlRow[])[0]?.['order_id']).toBe(BigInt(newest))
      newest--
    }
    // The first pages tell; the whole walk is the house's.
    if (newest < records - 5000) break
  }
  // The store's histogram has no 0: what read none is told as 1.
  expect((await tombstonesRead()).filter(row => Number(row['max']) > 1)).toEqual([])
})
