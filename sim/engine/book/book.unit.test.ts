import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../core/events.ts'
import { Book } from './book.ts'
import { newOrder, type OpenOrder } from './open-order.ts'

const orderAt = (order: bigint, side: Side, price: bigint): OpenOrder =>
  newOrder(order, {
    ...{ user: 1n, symbol: 1, side, type: 'Limit', timeInForce: 'GoodTillCancel', price },
    ...{ quantity: 1n, expiresAtUs: 0n, client: 0n },
  })

/** The same, by sorting. */
const bestOf = (orders: readonly OpenOrder[], side: Side): OpenOrder | null => {
  const better = (a: OpenOrder, b: OpenOrder): boolean =>
    a.price === b.price ? a.order < b.order : side === 'Buy' ? a.price > b.price : a.price < b.price
  let best: OpenOrder | null = null
  for (const order of orders) if (order.side === side && (!best || better(order, best))) best = order
  return best
}

const act = fc.oneof(
  fc.record({ side: fc.constantFrom<Side>('Buy', 'Sell'), price: fc.bigInt({ min: 1n, max: 3n }) }),
  fc.record({ remove: fc.nat() }),
)

describe('a book', () => {
  it('always knows the oldest order of the best price, as orders come and go anywhere', () =>
    fc.assert(
      fc.property(fc.array(act, { minLength: 30, maxLength: 80 }), acts => {
        const book = new Book()
        let orders: OpenOrder[] = []
        let id = 0n
        for (const step of acts) {
          if ('side' in step) {
            const order = orderAt(++id, step.side, step.price)
            book.add(order)
            orders.push(order)
          } else if (orders.length > 0) {
            const gone = orders[step.remove % orders.length] as OpenOrder
            book.remove(gone)
            orders = orders.filter(order => order !== gone)
          }
          for (const side of ['Buy', 'Sell'] as const) expect(book.best(side)?.order).toBe(bestOf(orders, side)?.order)
        }
      }),
      { numRuns: 300 },
    ))

  it('does not forgive the removal of what is not there', () => {
    expect(() => new Book().remove(orderAt(1n, 'Buy', 5n))).toThrow('order 1 is not in the book')
  })
})
