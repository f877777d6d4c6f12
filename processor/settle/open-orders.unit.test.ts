import { expect, test } from 'vitest'
import { orderId, pos, userId } from '../../core/ids.ts'
import type { CqlTuple } from '../../runtime/cql/port.ts'
import { openOrderSlot } from '../../schemas/cql/placement.ts'
import { type OpenOrder, OpenOrders } from './open-orders.ts'
import { orderOutput, orderUpdate } from './testing/user-output.ts'

/** Ids of orders in one slot, and of one in another. */
const slot = openOrderSlot(orderId(1n))
const ids = Array.from({ length: 1000 }, (_, at) => BigInt(at + 1))
const [a, b, c] = ids.filter(id => openOrderSlot(orderId(id)) === slot) as [bigint, bigint, bigint]
const elsewhere = ids.find(id => openOrderSlot(orderId(id)) !== slot) as bigint

const none = (): OpenOrders => new OpenOrders(userId(7n), { slots: new Map(), next: pos(0n) })
const open = (id: bigint, at: number): OpenOrder => {
  const { user: _, reason: __, ...order } = orderUpdate(0, id, 'New').value
  return { ...order, pos: pos(BigInt(at)), time: 0n }
}
/** As the store has it, for an owner that goes on with the record at `next`. */
const loaded = (next: number, at: number, ...orders: readonly OpenOrder[]): OpenOrders =>
  new OpenOrders(userId(7n), { slots: new Map([[slot, { orders, pos: pos(BigInt(at)) }]]), next: pos(BigInt(next)) })

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
  const orders = loaded(10, 20, open(a, 10), open(b, 20))
  expect(written(orders)).toEqual([])
  for (const at of [10, 15, 20]) orders.take(orderOutput(at, orderUpdate(0, c, 'New')))
  expect(written(orders)).toEqual([[7n, slot, [a, b], 20n, 20n]])
  orders.take(orderOutput(20, orderUpdate(0, b, 'New')))
  expect(written(orders)).toEqual([])
  orders.take(orderOutput(21, orderUpdate(0, a, 'Cancelled')))
  expect(written(orders)).toEqual([[7n, slot, [b], 21n, 21n]])
})

test('its size counts cells and orders', () => {
  const orders = loaded(21, 20, open(a, 10), open(b, 20))
  expect(orders.size).toBe(3)
  orders.take(orderOutput(21, orderUpdate(0, a, 'Filled'), orderUpdate(1, elsewhere, 'New')))
  expect(orders.size).toBe(4)
  expect(orders.isWritten).toBe(false)
  orders.drain()
  expect(orders.isWritten).toBe(true)
})

test('an empty cell is forgotten once it is written', () => {
  const orders = none()
  orders.take(orderOutput(1, orderUpdate(0, a, 'New'), orderUpdate(1, elsewhere, 'New')))
  orders.take(orderOutput(2, orderUpdate(0, a, 'Cancelled')))
  expect(orders.size).toBe(3)
  orders.drain()
  expect(orders.size).toBe(2)
  orders.take(orderOutput(3, orderUpdate(0, b, 'New')))
  expect(written(orders)).toEqual([[7n, slot, [b], 3n, 3n]])
})

test('an empty cell that is newer than the next record is kept until the records have come so far', () => {
  expect(loaded(21, 20).size).toBe(0)
  const orders = loaded(10, 20)
  expect(orders.size).toBe(1)
  orders.take(orderOutput(10, orderUpdate(0, a, 'New')))
  expect(written(orders)).toEqual([[7n, slot, [], 20n, 20n]])
  orders.take(orderOutput(20, orderUpdate(0, a, 'Cancelled')))
  expect(written(orders)).toEqual([])
  orders.take(orderOutput(21, orderUpdate(0, elsewhere, 'New')))
  orders.drain()
  expect(orders.size).toBe(2)
})
