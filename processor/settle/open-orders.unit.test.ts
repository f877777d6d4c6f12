import { expect, test } from 'vitest'
import { orderId, pos, userId } from '../../core/ids.ts'
import type { CqlTuple } from '../../runtime/cql/port.ts'
import { openOrderSlot } from '../../schemas/cql/placement.ts'
import { type OpenOrder, OpenOrders, type OpenOrderSlot } from './open-orders.ts'
import { orderOutput, orderUpdate } from './testing/user-output.ts'

/** Ids of orders in one slot, and of one in another. */
const slot = openOrderSlot(orderId(1n))
const ids = Array.from({ length: 1000 }, (_, at) => BigInt(at + 1))
const [a, b, c] = ids.filter(id => openOrderSlot(orderId(id)) === slot) as [bigint, bigint, bigint]
const elsewhere = ids.find(id => openOrderSlot(orderId(id)) !== slot) as bigint

const none = (): OpenOrders => new OpenOrders(userId(7n), new Map())
const open = (id: bigint, at: number): OpenOrder => {
  const { user: _, reason: __, ...order } = orderUpdate(0, id, 'New').value
  return { ...order, pos: pos(BigInt(at)), time: 0n }
}
const stored = (at: number, ...orders: readonly OpenOrder[]): ReadonlyMap<number, OpenOrderSlot> =>
  new Map([[slot, { orders, pos: pos(BigInt(at)) }]])

/** Slot, ids, pos and timestamp of each row to be written. */
const written = (orders: OpenOrders): unknown[] =>
  orders.drain().map(({ params: [user, at, cell, timestamp] }) => {
    const [list, changed] = (cell as CqlTuple).elements as unknown as [{ order_id: bigint }[], bigint]
    return [user, at, list.map(each => each.order_id), changed, timestamp]
  })

test('a cell is written whole, once a batch, at the pos of the last record that changed it', () => {
  const orders = none()
  orders.take(orderOutput(1, orderUpdate(0, b, 'New'), orderUpdate(1, a, 'New')))
  orders.take(orderOutput(2, orderUpdate(0, elsewhere, 'New')))
  orders.take(orderOutput(3, orderUpdate(0, a, 'PartiallyFilled')))
  expect(written(orders)).toEqual([
    [7n, slot, [a, b], 3n, 3n],
    [7n, openOrderSlot(orderId(elsewhere)), [elsewhere], 2n, 2n],
  ])
  expect(written(orders)).toEqual([])
})

test('the last order that closes leaves an empty cell, not a tombstone', () => {
  const orders = none()
  orders.take(orderOutput(1, orderUpdate(0, a, 'New')))
  orders.take(orderOutput(2, orderUpdate(0, a, 'Cancelled')))
  expect(written(orders)).toEqual([[7n, slot, [], 2n, 2n]])
})

test('orders that were never open between two records touch nothing', () => {
  const orders = none()
  orders.take(orderOutput(1, orderUpdate(0, a, 'New')))
  expect(written(orders)).toHaveLength(1)
  orders.take(orderOutput(2, orderUpdate(0, b, 'New'), orderUpdate(1, b, 'Filled')))
  orders.take(orderOutput(3, orderUpdate(0, c, 'Rejected')))
  expect(written(orders)).toEqual([])
  expect(orders.size).toBe(2)
})

test('an order whose first update never came is open from the one that did', () => {
  const orders = none()
  orders.take(orderOutput(1, orderUpdate(0, a, 'PartiallyFilled')))
  expect(written(orders)).toEqual([[7n, slot, [a], 1n, 1n]])
})

test('a record that a cell has seen changes nothing, and has it written again, once', () => {
  const orders = new OpenOrders(userId(7n), stored(20, open(a, 10), open(b, 20)))
  expect(written(orders)).toEqual([])
  for (const at of [10, 15, 20]) orders.take(orderOutput(at, orderUpdate(0, c, 'New')))
  expect(written(orders)).toEqual([[7n, slot, [a, b], 20n, 20n]])
  orders.take(orderOutput(20, orderUpdate(0, b, 'New')))
  expect(written(orders)).toEqual([])
  orders.take(orderOutput(21, orderUpdate(0, a, 'Cancelled')))
  expect(written(orders)).toEqual([[7n, slot, [b], 21n, 21n]])
})

test('its size counts cells and orders', () => {
  const orders = new OpenOrders(userId(7n), stored(20, open(a, 10), open(b, 20)))
  expect(orders.size).toBe(3)
  orders.take(orderOutput(21, orderUpdate(0, a, 'Filled'), orderUpdate(1, elsewhere, 'New')))
  expect(orders.size).toBe(4)
  expect(orders.isWritten).toBe(false)
  orders.drain()
  expect(orders.isWritten).toBe(true)
})
