import { describe, expect, test } from 'vitest'
import type { OrderState, OrderUpdate } from './events.ts'
import { amount, orderId, price, symbolId, userId } from './ids.ts'
import { checkOrder, followOrder, isOpen } from './order-lifecycle.ts'

const order = (state: OrderState, filled: bigint, quantity = 100n): OrderUpdate => ({
  order: orderId(3n),
  user: userId(5n),
  symbol: symbolId(7),
  side: 'Buy',
  type: 'Limit',
  timeInForce: 'GoodTillCancel',
  price: price(50n),
  quantity: amount(quantity),
  filled: amount(filled),
  remaining: amount(isOpen(state) ? quantity - filled : 0n),
  state,
  reason: '',
})
const states: OrderState[] = ['New', 'PartiallyFilled', 'Filled', 'Cancelled', 'Rejected', 'Expired']
const filledIn: { readonly [state in OrderState]: bigint } = {
  New: 0n,
  PartiallyFilled: 60n,
  Filled: 100n,
  Cancelled: 60n,
  Rejected: 0n,
  Expired: 60n,
}

describe('one update', () => {
  test.each(states)('%s is consistent', state => {
    expect(checkOrder(order(state, filledIn[state]))).toBeNull()
  })

  test.each([
    [
      'remaining of an open order',
      { ...order('PartiallyFilled', 60n), remaining: amount(41n) },
      'remaining 41 where 40 is left of 100, 60 filled',
    ],
    ['remaining of a closed order', { ...order('Cancelled', 60n), remaining: amount(40n) }, 'remaining 40 where 0'],
    ['filled without Filled', order('Cancelled', 100n), 'filled 100 of 100'],
    ['Filled without filled', order('Filled', 99n), 'filled 99 of 100'],
    ['filled beyond quantity', order('PartiallyFilled', 101n), 'filled 101 of 100'],
    ['filled below zero', order('PartiallyFilled', -1n), 'filled -1 of 100'],
    ['new but filled', order('New', 1n), 'a new order has 1 filled'],
    ['partially filled by nothing', order('PartiallyFilled', 0n), 'nothing is filled'],
    ['rejected but filled', order('Rejected', 1n), 'a rejected order has 1 filled'],
    ['no quantity', order('New', 0n, 0n), 'quantity 0 is not positive'],
    ['a limit of nothing', { ...order('New', 0n), price: price(0n) }, 'limit price 0 is not positive'],
    [
      'a market order with a price',
      { ...order('New', 0n), type: 'Market' as const },
      'a market order has price 50, not 0',
    ],
  ])('%s is refused', (_, update, why) => {
    expect(checkOrder(update)).toMatchObject({ kind: 'Inconsistent', message: expect.stringContaining(why) })
    expect(followOrder(undefined, update)).toMatchObject({ kind: 'Inconsistent' })
  })

  test('the smallest order is one unit at price 1', () => {
    expect(checkOrder({ ...order('New', 0n, 1n), price: price(1n) })).toBeNull()
  })

  test('a rejected order may have been anything', () => {
    expect(checkOrder({ ...order('Rejected', 0n, -5n), price: price(-1n) })).toBeNull()
  })
})

/** What may follow what, with filled growing where it can: the whole table. */
const allowed: { readonly [state in OrderState]: readonly OrderState[] } = {
  New: ['PartiallyFilled', 'Filled', 'Cancelled', 'Expired'],
  PartiallyFilled: ['PartiallyFilled', 'Filled', 'Cancelled', 'Expired'],
  Filled: [],
  Cancelled: [],
  Rejected: [],
  Expired: [],
}
const pairs = states.flatMap(from => states.map(to => [from, to] as const))

describe('what follows', () => {
  test.each(pairs)('%s, %s', (from, to) => {
    const before = order(from, from === 'PartiallyFilled' ? 10n : filledIn[from])
    const refused = followOrder(before, order(to, filledIn[to]))
    expect(refused === null).toBe(allowed[from].includes(to))
    if (!isOpen(from)) expect(refused).toMatchObject({ kind: 'AfterClosed' })
  })

  test.each(states)('the first update %s', state => {
    const refused = followOrder(undefined, order(state, filledIn[state]))
    expect(refused?.kind ?? null).toBe(state === 'New' || state === 'Rejected' ? null : 'NotFirst')
  })

  test('PartiallyFilled and Filled need filled to grow; Cancelled and Expired may keep it', () => {
    const before = order('PartiallyFilled', 60n)
    expect(followOrder(before, order('PartiallyFilled', 60n))).toMatchObject({ kind: 'StateOrder' })
    expect(followOrder(before, order('Cancelled', 60n))).toBeNull()
    expect(followOrder(before, order('Expired', 60n))).toBeNull()
    expect(followOrder(before, order('PartiallyFilled', 59n))).toMatchObject({
      kind: 'FilledFell',
      message: 'order 3 of user 5, PartiallyFilled: filled fell from 60 to 59',
    })
    expect(followOrder(before, order('Cancelled', 0n))).toMatchObject({ kind: 'FilledFell' })
  })

  test('an update that changes nothing is refused', () => {
    expect(followOrder(order('New', 0n), order('New', 0n))).toMatchObject({ kind: 'BadReduction' })
  })

  test.each([
    ['user', { user: userId(6n) }],
    ['symbol', { symbol: symbolId(8) }],
    ['side', { side: 'Sell' as const }],
    ['timeInForce', { timeInForce: 'ImmediateOrCancel' as const }],
    ['price', { price: price(51n) }],
    ['type', { type: 'Market' as const, price: price(0n) }],
    ['order', { order: orderId(4n) }],
  ])('%s never changes', (name, over) => {
    const refused = followOrder(order('New', 0n), { ...order('PartiallyFilled', 60n), ...over })
    expect(refused).toMatchObject({ kind: 'Altered', message: expect.stringContaining(`${name} was`) })
  })
})

describe('a reduction', () => {
  test('lowers quantity and remaining and keeps state and filled', () => {
    expect(followOrder(order('New', 0n), order('New', 0n, 40n))).toBeNull()
    expect(followOrder(order('PartiallyFilled', 60n), order('PartiallyFilled', 60n, 61n))).toBeNull()
  })

  test('never raises the quantity', () => {
    expect(followOrder(order('New', 0n), order('New', 0n, 101n))).toMatchObject({ kind: 'QuantityRose' })
  })

  test('does nothing else: a fill or a close is an update of its own', () => {
    const before = order('PartiallyFilled', 60n)
    for (const next of [order('PartiallyFilled', 70n, 90n), order('Cancelled', 60n, 90n), order('Filled', 60n, 60n)])
      expect(followOrder(before, next)).toMatchObject({ kind: 'BadReduction' })
  })

  test('to what is filled leaves nothing to trade: that is a cancel with quantity as it was', () => {
    const before = order('PartiallyFilled', 60n)
    expect(followOrder(before, order('PartiallyFilled', 60n, 60n))).toMatchObject({ kind: 'Inconsistent' })
    expect(followOrder(before, order('Cancelled', 60n))).toBeNull()
  })
})
