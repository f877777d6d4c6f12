import { beforeEach, describe, expect, it } from 'vitest'
import { maxOrderValue, maxSupply } from './matching-engine.ts'
import { cash, changeLines, coin, house, orderLines, TestExchange } from './testing/test-exchange.ts'

const [alice, bob, carol] = [1n, 2n, 3n]
const market = { type: 'Market', timeInForce: 'ImmediateOrCancel' } as const
const immediate = { timeInForce: 'ImmediateOrCancel' } as const

let exchange: TestExchange
beforeEach(() => {
  exchange = new TestExchange()
  exchange.fund(alice, { cash: 1_000_000n, coin: 10_000n })
  exchange.fund(bob, { cash: 1_000_000n, coin: 10_000n })
  exchange.fund(carol, { cash: 1_000_000n, coin: 10_000n })
})

describe('placing', () => {
  it('emits reference data first, with empty lists', () => {
    const [first] = new TestExchange().outputs
    expect(first?.reference?.house).toBe(house)
    expect([first?.orders, first?.trades, first?.changes]).toEqual([[], [], []])
  })

  it('reserves quote for a buy and base for a sell, and rests as New', () => {
    const buy = exchange.place({ user: alice, side: 'Buy', price: 500n, quantity: 20n })
    const sell = exchange.place({ user: bob, side: 'Sell', price: 600n, quantity: 30n })
    expect(orderLines(buy)).toEqual(['1 New 0/20 20'])
    expect(changeLines(buy)).toEqual(['1 cash -1000 1000 Reserve 1'])
    expect(changeLines(sell)).toEqual(['2 coin -30 30 Reserve 2'])
    expect(exchange.has(alice, cash)).toEqual([999_000n, 1_000n])
  })

  it.each([
    ['unknown symbol', { symbol: 7, price: 5n, quantity: 10n }],
    ['bad lot', { price: 5n, quantity: 11n }],
    ['bad lot', { price: 5n, quantity: 0n }],
    ['bad price', { price: 0n, quantity: 10n }],
    ['bad price', { price: 5n, quantity: 10n, ...market }],
    ['too large', { price: maxOrderValue, quantity: 20n }],
    ['insufficient funds', { price: 1_000_001n, quantity: 10n }],
  ])('rejects for %s without touching money', (reason, order) => {
    const output = exchange.place({ user: alice, side: 'Buy', ...order })
    expect(orderLines(output)).toEqual([`1 Rejected 0/${order.quantity} 0 (${reason})`])
    expect(output.changes).toEqual([])
  })

  it('rejects a market buy of a user without any money', () => {
    expect(orderLines(exchange.place({ user: 77n, side: 'Buy', quantity: 10n, ...market }))).toEqual([
      '1 Rejected 0/10 0 (insufficient funds)',
    ])
  })
})

describe('matching', () => {
  it('takes the best price first, then the oldest order', () => {
    exchange.place({ user: alice, side: 'Sell', price: 510n, quantity: 10n })
    exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 10n })
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n })
    const { trades } = exchange.place({ user: carol, side: 'Buy', price: 510n, quantity: 30n })
    expect(trades.map(({ sellOrder, price }) => [sellOrder, price])).toEqual([
      [2n, 500n],
      [3n, 500n],
      [1n, 510n],
    ])
    expect(trades.map(({ trade }) => trade)).toEqual([1n, 2n, 3n])
  })

  it('shows the taker New, each maker once, then the taker once more, cumulatively', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n })
    exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 50n })
    const output = exchange.place({ user: carol, side: 'Buy', price: 500n, quantity: 30n })
    expect(orderLines(output)).toEqual([
      '3 New 0/30 30',
      '1 Filled 10/10 0',
      '2 PartiallyFilled 20/50 30',
      '3 Filled 30/30 0',
    ])
  })

  it('rests what is left of a limit order as PartiallyFilled', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n })
    const output = exchange.place({ user: bob, side: 'Buy', price: 505n, quantity: 30n })
    expect(orderLines(output).at(-1)).toBe('2 PartiallyFilled 10/30 20')
    expect(exchange.has(bob, cash)[1]).toBe(1_010n)
  })

  it('posts amounts net of fees, the fees to the house, and releases the price improvement', () => {
    exchange.place({ user: alice, side: 'Sell', price: 5_000n, quantity: 1_000n })
    const output = exchange.place({ user: bob, side: 'Buy', price: 5_100n, quantity: 1_000n })
    expect(output.trades[0]).toMatchObject({ quote: 500_000n, buyFee: 20n, sellFee: 5_000n, taker: 'Buy' })
    expect(output.trades[0]).toMatchObject({ buyFeeAsset: coin, sellFeeAsset: cash })
    expect(changeLines(output)).toEqual([
      '2 cash -510000 510000 Reserve 2',
      '2 coin 980 0 Trade 1',
      '2 cash 0 -500000 Trade 1',
      '1 coin 0 -1000 Trade 1',
      '1 cash 495000 0 Trade 1',
      '99 coin 20 0 Fee 1',
      '99 cash 5000 0 Fee 1',
      '2 cash 10000 -10000 Release 2',
    ])
  })

  it('rounds fees down and posts none of zero', () => {
    exchange.place({ user: alice, side: 'Sell', price: 5n, quantity: 10n })
    const output = exchange.place({ user: bob, side: 'Buy', price: 5n, quantity: 10n })
    expect(output.trades[0]).toMatchObject({ buyFee: 0n, sellFee: 0n })
    expect(output.changes.some(({ reason }) => reason === 'Fee')).toBe(false)
  })

  it('expires what an immediate order leaves, and gives its reserve back', () => {
    exchange.place({ user: alice, side: 'Buy', price: 500n, quantity: 10n })
    const output = exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 30n, ...immediate })
    expect(orderLines(output).at(-1)).toBe('2 Expired 10/30 0 (immediate or cancel)')
    expect(exchange.has(bob, coin)).toEqual([9_990n, 0n])
  })

  it('cancels what a market order leaves for want of liquidity', () => {
    exchange.place({ user: alice, side: 'Buy', price: 500n, quantity: 10n })
    const output = exchange.place({ user: bob, side: 'Sell', quantity: 30n, ...market })
    expect(orderLines(output).at(-1)).toBe('2 Cancelled 10/30 0 (no liquidity)')
    expect(exchange.has(bob, coin)).toEqual([9_990n, 0n])
  })

  it('lets a market buy spend what is available, and cancels it when that is out', () => {
    exchange.place({ user: alice, side: 'Sell', price: 400_000n, quantity: 50n })
    const output = exchange.place({ user: bob, side: 'Buy', quantity: 50n, ...market })
    expect(orderLines(output).at(-1)).toBe('2 Cancelled 20/50 0 (out of funds)')
    expect(changeLines(output)).toContain('2 cash -800000 0 Trade 1')
    expect(exchange.has(bob, cash)).toEqual([200_000n, 0n])
  })

  it('cancels the resting order rather than trade with oneself, and goes on', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n })
    exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 10n })
    const output = exchange.place({ user: alice, side: 'Buy', price: 500n, quantity: 10n })
    expect(orderLines(output)).toEqual([
      '3 New 0/10 10',
      '1 Cancelled 0/10 0 (self-trade)',
      '2 Filled 10/10 0',
      '3 Filled 10/10 0',
    ])
    expect(changeLines(output)).toContain('1 coin 10 -10 Release 1')
    expect(output.trades).toHaveLength(1)
  })

  it('sweeps ten thousand makers of one level in one output', () => {
    exchange.fund(alice, { coin: 1_000_000n })
    for (let i = 0; i < 10_000; i++) exchange.place({ user: alice, side: 'Sell', price: 1n, quantity: 10n })
    const output = exchange.place({ user: bob, side: 'Buy', price: 1n, quantity: 100_000n })
    expect(output.trades).toHaveLength(10_000)
    expect(output.orders.at(-1)).toMatchObject({ state: 'Filled', filled: 100_000n })
  })
})

describe('resting orders', () => {
  it('cancels, and gives back what was not traded', () => {
    exchange.place({ user: alice, side: 'Buy', price: 500n, quantity: 30n })
    exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 10n })
    const output = exchange.run({ kind: 'Cancel', user: alice, order: 1n })
    expect(orderLines(output)).toEqual(['1 Cancelled 10/30 0 (cancelled by user)'])
    expect(changeLines(output)).toEqual(['1 cash 1000 -1000 Release 1'])
  })

  it('reduces without losing its place', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 30n })
    exchange.place({ user: bob, side: 'Sell', price: 500n, quantity: 30n })
    const output = exchange.run({ kind: 'Reduce', user: alice, order: 1n, by: 20n })
    expect(orderLines(output)).toEqual(['1 New 0/10 10'])
    expect(changeLines(output)).toEqual(['1 coin 20 -20 Release 1'])
    const { trades } = exchange.place({ user: carol, side: 'Buy', price: 500n, quantity: 20n })
    expect(trades.map(({ sellOrder, quantity }) => [sellOrder, quantity])).toEqual([
      [1n, 10n],
      [2n, 10n],
    ])
  })

  it('takes a reduction of all that remains for a cancel', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 30n })
    const output = exchange.run({ kind: 'Reduce', user: alice, order: 1n, by: 30n })
    expect(orderLines(output)).toEqual(['1 Cancelled 0/30 0 (reduced to nothing)'])
  })

  it('expires the soonest first, and forgets those that closed before', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n, expiresAtUs: 9_000n })
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n, expiresAtUs: 7_000n })
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 10n, expiresAtUs: 8_000n })
    expect(exchange.engine.orders.soonestExpiry()?.order).toBe(2n)
    exchange.run({ kind: 'Cancel', user: alice, order: 2n })
    expect(exchange.engine.orders.soonestExpiry()?.order).toBe(3n)
    const output = exchange.run({ kind: 'Expire', order: 3n })
    expect(orderLines(output)).toEqual(['3 Expired 0/10 0 (good till time)'])
  })

  it('counts every order in the state it is in', () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 20n })
    exchange.place({ user: bob, side: 'Buy', price: 500n, quantity: 10n })
    exchange.place({ user: bob, side: 'Buy', price: 500n, quantity: 3n })
    expect(exchange.engine.ledger.orderStates).toEqual({
      ...{ New: 0n, PartiallyFilled: 1n, Filled: 1n, Cancelled: 0n, Rejected: 1n, Expired: 0n },
    })
  })
})

describe('refusals', () => {
  it.each([
    ['has 1000000 of asset 1', { kind: 'Withdraw', user: alice, asset: cash, amount: 1_000_001n }],
    ['not above zero', { kind: 'Deposit', user: alice, asset: cash, amount: 0n }],
    ['asset 9 is unknown', { kind: 'Deposit', user: alice, asset: 9, amount: 1n }],
    ['supplied beyond', { kind: 'Deposit', user: alice, asset: cash, amount: maxSupply }],
    ['order 5 of user 1 is not open', { kind: 'Cancel', user: alice, order: 5n }],
    ['order 5 of user 1 is not open', { kind: 'Reduce', user: alice, order: 5n, by: 10n }],
    ['order 5 is not open', { kind: 'Expire', order: 5n }],
  ] as const)('refuses without an output: %s', (reason, command) => {
    expect(exchange.refusal(command)).toContain(reason)
  })

  it("does not touch another user's order", () => {
    exchange.place({ user: alice, side: 'Sell', price: 500n, quantity: 20n })
    expect(exchange.refusal({ kind: 'Cancel', user: bob, order: 1n })).toContain('not open')
  })

  it('never lets its clock go back', () => {
    expect(() => exchange.engine.execute({ kind: 'Expire', order: 1n, timeUs: 1n })).toThrow('clock would go back')
  })
})

it('keeps a change to itself when it is told to, and goes on from it in its books', () => {
  const faulty = new TestExchange({ unsaid: [{ user: alice, asset: cash, version: 2n }] })
  faulty.fund(alice, { cash: 1_000n })
  faulty.fund(bob, { cash: 1_000n })
  for (const user of [alice, bob]) faulty.place({ user, side: 'Buy', price: 500n, quantity: 10n })
  faulty.run({ kind: 'Deposit', user: alice, asset: cash, amount: 7n })
  expect(faulty.outputs.flatMap(changeLines)).toEqual([
    '1 cash 1000 0 Deposit 1',
    '2 cash 1000 0 Deposit 2',
    '2 cash -500 500 Reserve 2',
    '1 cash 7 0 Deposit 3',
  ])
  expect(faulty.outputs.at(-1)?.changes[0]).toMatchObject({ version: 3n, available: 507n, frozen: 500n })
  expect(faulty.has(alice, cash)).toEqual([507n, 500n])
})
