import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkOutput } from './check-output.ts'
import type { BalanceChange, EngineOutput, OrderUpdate, ReferenceData, Side, Trade } from './events.ts'
import { correctionFlow, externalFlow, mergeFlows, totalFlow } from './flow.ts'
import { amount, assetId, type OrderId, orderId, type Price, price, tradeId, userId, version } from './ids.ts'
import { followOrder } from './order-lifecycle.ts'
import { history } from './testing/history.ts'
import { base, house, quote, TinyExchange } from './testing/tiny-exchange.ts'

/** A sell of 300 at 50 that rests, hit by a limit buy of 200 at 52: one trade, two fees, a release. */
const traded = (): EngineOutput => {
  const exchange = new TinyExchange()
  exchange.take({ kind: 'deposit', user: 1, asset: 1, amount: 1000 })
  exchange.take({ kind: 'deposit', user: 2, asset: 2, amount: 100_000 })
  exchange.take({ kind: 'place', user: 1, side: 'Sell', price: 50, lots: 30, life: 'rest' })
  return exchange.take({ kind: 'place', user: 2, side: 'Buy', price: 52, lots: 20, life: 'rest' })
}
const output = traded()
const trade = output.trades[0] as Trade
const isPlain = ({ reason }: BalanceChange): boolean => reason === 'Trade' || reason === 'Fee'
const withTrade = (over: Partial<Trade>): EngineOutput => ({ ...output, trades: [{ ...trade, ...over }] })
const mapChanges = (edit: (change: BalanceChange) => BalanceChange): EngineOutput => ({
  ...output,
  changes: output.changes.map(edit),
})
const deposit: BalanceChange = {
  user: userId(3n),
  asset: base,
  deltaAvailable: amount(7n),
  deltaFrozen: amount(0n),
  available: amount(7n),
  frozen: amount(0n),
  version: version(1n),
  reason: 'Deposit',
  ref: 0n,
}

describe('any engine history', () => {
  test('passes every check, and its orders follow their life cycle', () => {
    fc.assert(
      fc.property(history, outputs => {
        const orders = new Map<bigint, OrderUpdate>()
        for (const each of outputs) {
          expect(checkOutput(each)).toBeNull()
          expect(totalFlow(each)).toEqual(externalFlow(each))
          for (const update of each.orders) {
            expect(followOrder(orders.get(update.order), update)).toBeNull()
            orders.set(update.order, update)
          }
        }
      }),
    )
  })

  const trading = history.filter(outputs => outputs.some(each => each.trades.length > 0))
  const off = fc.bigInt(-1000n, 1000n).filter(by => by !== 0n)

  test('is refused when a trade or fee change is off, gone or doubled', () => {
    const edits: ((change: BalanceChange, by: bigint) => BalanceChange[])[] = [
      (change, by) => [{ ...change, deltaAvailable: amount(change.deltaAvailable + by) }],
      (change, by) => [{ ...change, deltaFrozen: amount(change.deltaFrozen + by) }],
      (change, by) => [{ ...change, ref: change.ref + by }],
      (change, by) => [{ ...change, asset: assetId(change.asset + Number(by)) }],
      change => [{ ...change, reason: 'Deposit' }],
      change => [{ ...change, user: userId(99n) }],
      () => [],
      change => [change, change],
    ]
    fc.assert(
      fc.property(trading, fc.nat(), fc.constantFrom(...edits), off, (outputs, pick, edit, by) => {
        const candidates = outputs.flatMap(each => each.changes.filter(isPlain).map(change => ({ each, change })))
        const { each, change } = candidates[pick % candidates.length] as (typeof candidates)[0]
        const isFee = change.reason === 'Fee'
        const edited = edit(change, by)
        // Only the sum per asset is provable of fees: which trade of the output, and which user is the house, is not.
        fc.pre(!(isFee && edited.length === 1 && sameSum(change, edited[0] as BalanceChange)))
        const broken = { ...each, changes: each.changes.flatMap(other => (other === change ? edited : [other])) }
        expect(checkOutput(broken)).not.toBeNull()
      }),
    )
  })

  test('is refused when a trade is off, gone or doubled, or one of its orders is silent', () => {
    const edits: ((trade: Trade, by: bigint) => Trade[])[] = [
      ...(['quantity', 'quote', 'buyFee', 'sellFee'] as const).map(name => (each: Trade, by: bigint) => [
        { ...each, [name]: amount(each[name] + by) },
      ]),
      ...(['trade', 'buyer', 'seller', 'buyOrder', 'sellOrder'] as const).map(name => (each: Trade, by: bigint) => [
        { ...each, [name]: each[name] + by },
      ]),
      () => [],
      each => [each, each],
    ]
    fc.assert(
      fc.property(trading, fc.nat(), fc.constantFrom(...edits), off, (outputs, pick, edit, by) => {
        const candidates = outputs.flatMap(each => each.trades.map(found => ({ each, found })))
        const { each, found } = candidates[pick % candidates.length] as (typeof candidates)[0]
        const edited = edit(found, by)
        const broken = { ...each, trades: each.trades.flatMap(other => (other === found ? edited : [other])) }
        // What earlier outputs filled of two orders of one user, one output can't tell ("a trade moved to another order").
        fc.pre(!(movesBetweenOldOrders(each, found, edited) && leavesNoUntradedFilled(broken)))
        expect(checkOutput(broken)).not.toBeNull()
        const silent = { ...each, orders: each.orders.filter(update => update.order !== found.sellOrder) }
        expect(checkOutput(silent)).toMatchObject({ kind: 'OrderMissing', order: found.sellOrder })
      }),
    )
  })
})

const sameSum = (left: BalanceChange, right: BalanceChange): boolean =>
  right.reason === 'Fee' &&
  left.asset === right.asset &&
  left.deltaAvailable + left.deltaFrozen === right.deltaAvailable + right.deltaFrozen

const movesBetweenOldOrders = ({ orders }: EngineOutput, from: Trade, edited: readonly Trade[]): boolean =>
  edited.length === 1 &&
  (['buyOrder', 'sellOrder'] as const).some(name => {
    const [old, other] = [from, edited[0] as Trade].map(each => orders.find(({ order }) => order === each[name]))
    return old !== other && old?.state !== 'New' && other?.state !== 'New' && old?.user === other?.user
  })

const leavesNoUntradedFilled = ({ orders, trades }: EngineOutput): boolean =>
  orders.every(
    ({ order, state }) =>
      state !== 'Filled' || trades.some(({ buyOrder, sellOrder }) => buyOrder === order || sellOrder === order),
  )

test('a trade with its two sides, fees and release passes', () => {
  expect(output.changes.map(each => each.reason)).toEqual([
    'Reserve',
    'Trade',
    'Trade',
    'Trade',
    'Trade',
    'Fee',
    'Fee',
    'Release',
  ])
  expect(checkOutput(output)).toBeNull()
})

test('reference data stands alone', () => {
  const reference: ReferenceData = { assets: [], symbols: [], house }
  expect(checkOutput({ ...output, reference })).toMatchObject({
    kind: 'ReferenceWithLists',
    message: 'reference data stands beside 3 orders, 1 trades and 8 changes',
  })
  expect(checkOutput({ time: 1n, reference, orders: [], trades: [], changes: [] })).toBeNull()
})

test('a trade amount that is not positive is refused', () => {
  const zero = { price: price(0n), quantity: amount(0n), quote: amount(-1n) }
  for (const [name, value] of Object.entries(zero))
    expect(checkOutput(withTrade({ [name]: value }))).toMatchObject({ kind: 'BadTrade', trade: trade.trade })
})

test('the smallest trade is one unit of each', () => {
  const one = withTrade({ price: price(1n), quantity: amount(1n), quote: amount(1n) })
  expect(checkOutput(one)?.kind).toBe('FilledUnequal')
})

test('a side that is not the trade is refused, and the message says who got what', () => {
  const stolen = mapChanges(each =>
    each.user === trade.seller && each.asset === quote && each.reason === 'Trade'
      ? { ...each, deltaAvailable: amount(each.deltaAvailable - 1n) }
      : each.user === house && each.asset === quote
        ? { ...each, deltaAvailable: amount(each.deltaAvailable + 1n) }
        : each,
  )
  expect(checkOutput(stolen)).toMatchObject({
    kind: 'SidesUnequal',
    message:
      'trade 1 of 200 for 1000 (fees 2 of asset 1 and 10 of asset 2): ' +
      'buyer 2 gets -1000 of asset 2, 198 of asset 1; seller 1 gets -200 of asset 1, 989 of asset 2',
  })
})

test('fees may be netted into one change per asset, in another asset, or be a rebate, but never differ', () => {
  const paidTwice = mapChanges(each =>
    each.reason === 'Fee' && each.asset === base ? { ...each, deltaAvailable: amount(3n) } : each,
  )
  const fromNowhere = {
    ...deposit,
    user: trade.buyer,
    deltaAvailable: amount(-1n),
    reason: 'Fee',
    ref: trade.trade,
  } as const
  expect(checkOutput({ ...paidTwice, changes: [...paidTwice.changes, { ...fromNowhere, user: house }] })).toBeNull()
  const other = assetId(5)
  const inOther: EngineOutput = {
    ...output,
    trades: [{ ...trade, buyFee: amount(-4n), buyFeeAsset: other, sellFee: amount(9n), sellFeeAsset: other }],
    changes: [
      ...output.changes
        .filter(each => each.reason !== 'Fee')
        .map(each => {
          if (each.reason !== 'Trade') return each
          const gross = each.asset === base ? trade.quantity : trade.quote
          return { ...each, deltaAvailable: amount(each.deltaAvailable > 0n ? gross : each.deltaAvailable) }
        }),
      { ...deposit, user: trade.buyer, asset: other, deltaAvailable: amount(4n), reason: 'Trade', ref: trade.trade },
      { ...deposit, user: trade.seller, asset: other, deltaAvailable: amount(-9n), reason: 'Trade', ref: trade.trade },
      { ...deposit, user: house, asset: other, deltaAvailable: amount(5n), reason: 'Fee', ref: trade.trade },
    ],
  }
  expect(checkOutput(inOther)).toBeNull()
})

test('four assets are the most that a trade touches', () => {
  const [fees, more] = [assetId(5), assetId(6)]
  const withFeesIn = (sellFeeAsset: typeof fees, extra: BalanceChange[]): EngineOutput => ({
    ...output,
    trades: [{ ...trade, buyFee: amount(4n), buyFeeAsset: fees, sellFee: amount(9n), sellFeeAsset }],
    changes: [
      ...output.changes
        .filter(each => each.reason !== 'Fee')
        .map(each => {
          if (each.reason !== 'Trade' || each.deltaAvailable <= 0n) return each
          return { ...each, deltaAvailable: each.asset === base ? trade.quantity : trade.quote }
        }),
      { ...deposit, user: trade.buyer, asset: fees, deltaAvailable: amount(-4n), reason: 'Trade', ref: trade.trade },
      { ...deposit, user: house, asset: fees, deltaAvailable: amount(4n), reason: 'Fee', ref: trade.trade },
      {
        ...deposit,
        user: trade.seller,
        asset: sellFeeAsset,
        deltaAvailable: amount(-9n),
        reason: 'Trade',
        ref: trade.trade,
      },
      { ...deposit, user: house, asset: sellFeeAsset, deltaAvailable: amount(9n), reason: 'Fee', ref: trade.trade },
      ...extra,
    ],
  })
  expect(checkOutput(withFeesIn(more, []))).toBeNull()
  const fifth = [1n, -1n].map(
    by =>
      ({
        ...deposit,
        user: trade.buyer,
        asset: assetId(7),
        deltaAvailable: amount(by),
        reason: 'Trade',
        ref: 1n,
      }) as const,
  )
  expect(checkOutput(withFeesIn(more, fifth))).toMatchObject({ kind: 'SidesUnequal' })
})

test('two users that receive fees, or a fee of no trade, are refused', () => {
  const two = mapChanges(each => (each.reason === 'Fee' && each.asset === quote ? { ...each, user: userId(4n) } : each))
  expect(checkOutput(two)).toMatchObject({ kind: 'SeveralHouses', users: [house, 4n] })
  const stray = mapChanges(each => (each.reason === 'Fee' ? { ...each, ref: 8n } : each))
  expect(checkOutput(stray)).toMatchObject({ kind: 'StrayChange', index: 5 })
})

test('trades of one symbol are of one pair of assets', () => {
  const second = { ...trade, trade: tradeId(2n), buyFeeAsset: assetId(11), sellFeeAsset: assetId(12) }
  const grow = (update: OrderUpdate): OrderUpdate =>
    update.state === 'New'
      ? { ...update, quantity: amount(600n), remaining: amount(600n) }
      : { ...update, quantity: amount(600n), filled: amount(400n), remaining: amount(200n), state: 'PartiallyFilled' }
  const elsewhere = (change: BalanceChange): BalanceChange => ({
    ...change,
    asset: assetId(change.asset + 10),
    ref: 2n,
  })
  const doubled: EngineOutput = {
    ...output,
    orders: output.orders.map(grow),
    trades: [trade, second],
    changes: [...output.changes, ...output.changes.filter(isPlain).map(elsewhere)],
  }
  expect(checkOutput(doubled)).toMatchObject({ kind: 'SidesUnequal', trade: 2n })
})

test('an order filled by more or less than its trades is refused', () => {
  const orders = output.orders.map(each =>
    each.order === trade.sellOrder ? { ...each, filled: amount(190n), remaining: amount(110n) } : each,
  )
  expect(checkOutput({ ...output, orders })).toMatchObject({
    kind: 'FilledUnequal',
    order: trade.sellOrder,
    filled: 190n,
    traded: 200n,
  })
  const untraded = {
    ...output,
    trades: [],
    changes: [],
    orders: output.orders.filter(each => each.order === trade.buyOrder),
  }
  expect(checkOutput(untraded)).toMatchObject({ kind: 'FilledUnequal', order: trade.buyOrder, traded: 0n })
})

describe('a trade moved to another order', () => {
  const exchange = new TinyExchange()
  exchange.take({ kind: 'deposit', user: 1, asset: 1, amount: 1000 })
  exchange.take({ kind: 'deposit', user: 2, asset: 2, amount: 100_000 })
  const place = (user: number, side: Side, level: number, lots: number): EngineOutput =>
    exchange.take({ kind: 'place', user, side, price: level, lots, life: 'rest' })
  const second = place(2, 'Buy', 50, 40).orders[0]?.order as OrderId
  place(1, 'Sell', 50, 20)
  const best = place(2, 'Buy', 51, 30).orders[0]?.order as OrderId
  place(1, 'Sell', 50, 20)
  // Of both, 200 are filled now; this fills 100 of each, which is all that is left of the better one.
  const both = place(1, 'Sell', 50, 20)
  const move = (index: number, to: OrderId): EngineOutput => ({
    ...both,
    trades: both.trades.map((each, at) => (at === index ? { ...each, buyOrder: to } : each)),
  })

  test('is refused when the one it leaves is Filled without a trade', () => {
    expect(both.orders.map(({ state }) => state)).toEqual(['New', 'Filled', 'PartiallyFilled', 'Filled'])
    expect(checkOutput(both)).toBeNull()
    expect(checkOutput(move(0, second))).toMatchObject({ kind: 'FilledUnequal', order: best, filled: 300n, traded: 0n })
  })

  test('passes when the one it leaves is PartiallyFilled: it may be a reduction, as far as one output can tell', () => {
    expect(checkOutput(move(1, best))).toBeNull()
  })
})

test('an order of another user, symbol or side does not stand for the trade', () => {
  for (const over of [{ user: userId(8n) }, { symbol: 8 }, { side: 'Buy' }] as Partial<OrderUpdate>[]) {
    const orders = output.orders.map(each => (each.order === trade.sellOrder ? { ...each, ...over } : each))
    expect(checkOutput({ ...output, orders })).toMatchObject({ kind: 'OrderMissing', order: trade.sellOrder })
  }
})

test('a Reserve or Release only moves, and only its own way', () => {
  const traded = mapChanges(each => {
    if (each.reason === 'Reserve') return { ...each, deltaFrozen: amount(each.deltaFrozen + 1n) }
    return each.reason === 'Release' ? { ...each, deltaFrozen: amount(each.deltaFrozen - 1n) } : each
  })
  expect(checkOutput(traded)).toEqual({
    kind: 'NotMoved',
    index: 0,
    change: traded.changes[0],
    message: 'Reserve of user 2, asset 2, version 2: available by -1040, frozen by 1041',
  })
  const turned = mapChanges(each => (each.reason === 'Release' ? { ...each, reason: 'Reserve' } : each))
  expect(checkOutput(turned)).toMatchObject({ kind: 'NotMoved', index: 7 })
})

test('changes without an external reason sum to zero; a deposit excuses nothing beside it', () => {
  const beside: EngineOutput = { ...output, changes: [...output.changes, deposit] }
  expect(checkOutput(beside)).toBeNull()
  expect(externalFlow(beside)).toEqual([{ asset: base, amount: 7n }])
  const lost = { ...beside, changes: beside.changes.filter(each => each.reason !== 'Fee' || each.asset !== quote) }
  expect(checkOutput(lost)).toEqual({
    kind: 'NotZero',
    asset: quote,
    sum: -10n,
    message: 'changes of asset 2 without an external reason sum to -10',
  })
  expect(totalFlow(lost)).toEqual([
    { asset: base, amount: 7n },
    { asset: quote, amount: -10n },
  ])
})

test('fees that the trades do not say are refused even where no money is lost', () => {
  const shifted = mapChanges(each =>
    each.reason === 'Fee' && each.asset === base ? { ...each, reason: 'Reserve' } : each,
  )
  expect(checkOutput(shifted)).toMatchObject({ kind: 'NotMoved', index: 5 })
  const extra = [5n, -5n].map(
    by => ({ ...deposit, user: house, deltaAvailable: amount(by), reason: 'Fee', ref: 1n }) as const,
  )
  const [gift, payer] = [extra[0], { ...extra[1], user: trade.buyer, reason: 'Trade' }] as BalanceChange[]
  const skimmed = { ...output, changes: [...output.changes, gift, payer] as BalanceChange[] }
  expect(checkOutput(skimmed)).toMatchObject({ kind: 'SidesUnequal' })
  const asTold = { ...skimmed, trades: [{ ...trade, buyFee: amount(trade.buyFee + 5n) }] }
  expect(checkOutput(asTold)).toBeNull()
})

test('buyer = seller does not crash: both sides in one user must add up', () => {
  const alone: EngineOutput = {
    ...output,
    orders: output.orders.map(each => ({ ...each, user: trade.seller })),
    trades: [{ ...trade, buyer: trade.seller }],
    changes: output.changes.map(each => (each.user === trade.buyer ? { ...each, user: trade.seller } : each)),
  }
  expect(checkOutput(alone)).toBeNull()
  const short = { ...alone, changes: alone.changes.filter(each => each.asset !== base) }
  expect(checkOutput(short)).toMatchObject({ kind: 'SidesUnequal' })
})

test('several updates of one order follow each other', () => {
  const backwards = { ...output, orders: output.orders.toReversed() }
  expect(checkOutput(backwards)).toMatchObject({ kind: 'BadOrder', order: trade.buyOrder })
  const inconsistent = {
    ...output,
    orders: output.orders.map(each => ({ ...each, price: 0n as Price, order: orderId(each.order) })),
  }
  expect(checkOutput(inconsistent)).toMatchObject({ kind: 'BadOrder' })
})

test('flows merge ascending, without zeros; a Correction is one', () => {
  const body = { ...deposit, available: amount(0n), deltaAvailable: amount(-10n), deltaFrozen: amount(3n) }
  expect(mergeFlows(correctionFlow(body), externalFlow({ ...output, changes: [deposit] }))).toEqual([])
  expect(mergeFlows([{ asset: assetId(10), amount: 1n }], [{ asset: assetId(9), amount: 2n }])).toEqual([
    { asset: 9, amount: 2n },
    { asset: 10, amount: 1n },
  ])
})
