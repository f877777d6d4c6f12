import { expect, test } from 'vitest'
import type { Indexed, OrderUpdate, UserOutput } from '../../core/events.ts'
import { amount, orderId, pos, price, symbolId, userId } from '../../core/ids.ts'
import { CqlTuple } from '../../runtime/cql/port.ts'
import { bucketRules } from '../../schemas/cql/placement.ts'
import type { Bucket } from './history-buckets.ts'
import { HistoryRows } from './history-rows.ts'
import { words } from './testing/settled-world.ts'

const order = (
  index: number,
  id: number,
  state: OrderUpdate['state'],
  over: Partial<OrderUpdate> = {},
): Indexed<OrderUpdate> => ({
  index,
  value: {
    order: orderId(BigInt(id)),
    user: userId(7n),
    symbol: symbolId(1),
    side: 'Buy',
    type: 'Limit',
    timeInForce: 'GoodTillCancel',
    price: price(5n),
    quantity: amount(10n),
    filled: amount(0n),
    remaining: amount(10n),
    state,
    reason: '',
    ...over,
  },
})
const output = (at: number, ...orders: readonly Indexed<OrderUpdate>[]): UserOutput => ({
  kind: 'UserOutput',
  n: 1n,
  src: 0n,
  pos: pos(BigInt(at)),
  time: 0n,
  user: userId(7n),
  orders,
  trades: [],
  changes: [],
})
const written = (rows: HistoryRows, table: string): (readonly unknown[])[] =>
  rows
    .drain()
    .flat()
    .filter(({ cql }) => cql.startsWith(`INSERT INTO ${table} `))
    .map(({ params }) => params)
const open = (rows: HistoryRows): string[] =>
  rows
    .drain()
    .flat()
    .filter(({ cql }) => cql.includes('open_orders'))
    .map(({ cql, params }) =>
      cql.startsWith('DELETE') ? words('close', ...params) : words('open', ...params.slice(0, 3)),
    )

test('an order that several records of a batch change is opened or closed once, as it is at the end', () => {
  const rows = new HistoryRows(bucketRules)
  rows.take(output(1, order(0, 1, 'New'), order(1, 2, 'New')), null)
  rows.take(output(2, order(0, 1, 'PartiallyFilled')), null)
  rows.take(output(3, order(0, 2, 'Cancelled')), null)
  expect(open(rows)).toEqual(['open 7 1 2', 'close 3 7 2'])
})

test('an order that is new and filled in one record is closed there: no key gets two values at one pos', () => {
  const rows = new HistoryRows(bucketRules)
  rows.take(output(1, order(0, 1, 'New'), order(1, 1, 'Filled')), null)
  expect(open(rows)).toEqual(['close 1 7 1'])
})

test('an order that never rests leaves no tombstone', () => {
  const rows = new HistoryRows(bucketRules)
  const now = { timeInForce: 'ImmediateOrCancel' } as const
  rows.take(output(1, order(0, 1, 'New', now), order(1, 1, 'Expired', now)), null)
  rows.take(output(2, order(0, 2, 'New', { type: 'Market' }), order(1, 2, 'Filled', { type: 'Market' })), null)
  rows.take(output(3, order(0, 3, 'Rejected')), null)
  expect(open(rows)).toEqual([])
})

test('a bucket that several records of a batch fill is written once, as it is at the end', () => {
  const rows = new HistoryRows({ items: 2, oneIn: 1, heavyItems: 64 })
  let bucket: Bucket | null = null
  for (const at of [10, 20, 30, 40, 50]) bucket = rows.take(output(at), bucket)
  expect(written(rows, 'history_buckets')).toEqual([
    [7n, 10n, new CqlTuple(2n, pos(20n)), 20n],
    [7n, 30n, new CqlTuple(2n, pos(40n)), 40n],
    [7n, 50n, new CqlTuple(1n, pos(50n)), 50n],
  ])
})

test('a bucket that is only read is not written, one that was loaded is written as it was', () => {
  const rows = new HistoryRows({ items: 2, oneIn: 1, heavyItems: 64 })
  const loaded = { from: pos(10n), items: 1n, pos: pos(20n) }
  expect(rows.take(output(15), loaded)).toBe(loaded)
  expect(written(rows, 'history_buckets')).toEqual([])
  rows.reassert(userId(7n), loaded)
  rows.take(output(20), loaded)
  expect(written(rows, 'history_buckets')).toEqual([[7n, 10n, new CqlTuple(1n, pos(20n)), 20n]])
})

test('rows of one partition key are one group', () => {
  const rows = new HistoryRows(bucketRules)
  const bucket = rows.take(output(1, order(0, 1, 'New')), null)
  rows.take(output(2, order(0, 1, 'Cancelled')), bucket)
  // history of the bucket; the order's events; the user's bucket and open orders.
  expect(rows.drain().map(group => group.length)).toEqual([2, 2, 2])
})
