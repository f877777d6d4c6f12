import { expect, test } from 'vitest'
import type { Indexed, OrderUpdate, UserOutput } from '../../core/events.ts'
import { amount, orderId, pos, price, symbolId, userId } from '../../core/ids.ts'
import { HistoryRows } from './history-rows.ts'
import { words } from './testing/settled-world.ts'

const day = 86_400_000_000
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
const open = (rows: HistoryRows): string[] =>
  rows
    .groups()
    .flat()
    .filter(({ cql }) => cql.includes('open_orders'))
    .map(({ cql, params }) =>
      cql.startsWith('DELETE') ? words('close', ...params) : words('open', ...params.slice(0, 3)),
    )

test('an order that several records of a batch change is opened or closed once, as it is at the end', () => {
  const rows = new HistoryRows()
  rows.take(output(1, order(0, 1, 'New'), order(1, 2, 'New')), 0)
  rows.take(output(2, order(0, 1, 'PartiallyFilled')), 0)
  rows.take(output(3, order(0, 2, 'Cancelled')), 0)
  expect(open(rows)).toEqual(['open 7 1 2', 'close 3 7 2'])
})

test('an order that is new and filled in one record is closed there: no key gets two values at one pos', () => {
  const rows = new HistoryRows()
  rows.take(output(1, order(0, 1, 'New'), order(1, 1, 'Filled')), 0)
  expect(open(rows)).toEqual(['close 1 7 1'])
})

test('an order that never rests leaves no tombstone', () => {
  const rows = new HistoryRows()
  const now = { timeInForce: 'ImmediateOrCancel' } as const
  rows.take(output(1, order(0, 1, 'New', now), order(1, 1, 'Expired', now)), 0)
  rows.take(output(2, order(0, 2, 'New', { type: 'Market' }), order(1, 2, 'Filled', { type: 'Market' })), 0)
  rows.take(output(3, order(0, 3, 'Rejected')), 0)
  expect(open(rows)).toEqual([])
})

test('a day of a user is indexed once, at its first record', () => {
  const rows = new HistoryRows()
  let indexed = rows.take(output(day - 1), null)
  indexed = rows.take(output(day), indexed)
  indexed = rows.take(output(day + 1), indexed)
  expect(indexed).toBe(1)
  const days = rows
    .groups()
    .flat()
    .filter(({ cql }) => cql.includes('history_days'))
  expect(days.map(({ params }) => params)).toEqual([
    [7n, 0, BigInt(day - 1)],
    [7n, 1, BigInt(day)],
  ])
})

test('rows of one partition key are one group', () => {
  const rows = new HistoryRows()
  rows.take(output(1, order(0, 1, 'New')), null)
  rows.take(output(2, order(0, 1, 'Cancelled')), 0)
  // history of the day; the order's events; the user's day and open orders.
  expect(rows.groups().map(group => group.length)).toEqual([2, 2, 2])
})
