import type { EngineOutput, OrderUpdate, ReferenceData, Trade } from '../../core/events.ts'
import { amount, assetId, orderId, price, symbolId, type UserId, userId } from '../../core/ids.ts'
import { type TinyCommand, TinyExchange } from '../../core/testing/tiny-exchange.ts'
import { Dice } from '../../sim/world/dice.ts'
import { Accounts, deposit, type Fees, withOtherFees } from './other-fees.ts'
import { inMarket, type Market } from './tiny-market.ts'

/** Markets that have nothing in common: neither decimals nor lots, and prices with fewer and with more digits than 0. */
const bitcoin: Market = { symbol: 7, base: 1, quote: 2, lots: 1n, order: id => id, trade: id => id }
const ether: Market = {
  ...{ symbol: 8, base: 3, quote: 4, lots: 10n },
  order: id => id + 1_000_000n,
  // An id says nothing of when: these fall.
  trade: id => 2_000_000n - id,
}
const points = 5

export const reference: ReferenceData = {
  assets: [
    { asset: assetId(1), name: 'BTC', decimals: 8 },
    { asset: assetId(2), name: 'EUR', decimals: 2 },
    { asset: assetId(3), name: 'ETH', decimals: 2 },
    { asset: assetId(4), name: 'USD', decimals: 3 },
    { asset: assetId(points), name: 'Points', decimals: 0 },
  ],
  symbols: [
    {
      ...{ symbol: symbolId(7), name: 'BTC/EUR', base: assetId(1), quote: assetId(2) },
      ...{ lot: amount(10n), priceScale: 2, quantityScale: 4 },
    },
    {
      ...{ symbol: symbolId(8), name: 'ETH/USD', base: assetId(3), quote: assetId(4) },
      ...{ lot: amount(100n), priceScale: 3, quantityScale: 2 },
    },
  ],
  house: userId(9n),
}

const [firstUser, users] = [100, 40]
/** Two users of the tiny exchange that are one here, who so trades with itself. */
const isOne = (user: UserId): UserId => (user === 111n ? userId(110n) : user)

/** What of fees the tiny exchange does not know, trade by trade. */
const feesOf = ({ trade, buyFee, buyFeeAsset, sellFee, sellFeeAsset, quote }: Trade, market: Market): Fees => {
  const [buy, sell] = [Number(trade % 5n), Number(trade % 7n)]
  return {
    buyFee: amount(buy === 0 ? quote / 50n : buy === 1 ? 3n : buyFee),
    buyFeeAsset: buy === 0 ? assetId(market.quote) : buy === 1 ? assetId(points) : buyFeeAsset,
    sellFee: amount(sell === 2 ? 0n - sellFee - 1n : sell === 3 ? 0n : sell === 0 ? 7n : sellFee),
    sellFeeAsset: sell === 0 ? assetId(market.base) : sellFeeAsset,
  }
}

const commands = (count: number, dice: Dice): TinyCommand[] =>
  Array.from({ length: count }, (_, index): TinyCommand => {
    const user = firstUser + dice.below(users)
    // The first user is too poor to trade.
    if (index < users * 2)
      return {
        kind: 'deposit',
        user: firstUser + (index >> 1),
        asset: 1 + (index & 1),
        amount: index < 2 ? 9 : 9_999_999,
      }
    const drawn = dice.below(100)
    if (drawn < 7) return { kind: 'cancel', nth: dice.below(20) }
    if (drawn < 10) return { kind: 'expire', nth: dice.below(20) }
    if (drawn < 22) return { kind: 'reduce', nth: dice.below(30), lots: 1 + dice.below(3) }
    if (drawn < 26)
      return {
        kind: drawn < 24 ? 'withdraw' : 'deposit',
        user,
        asset: 1 + dice.below(2),
        amount: 1 + dice.below(9_999),
      }
    // The last ones all wait, so that many are open.
    const atEnd = index >= count - 60
    const life = atEnd ? 'rest' : dice.pick(['rest', 'rest', 'now', 'now', 'market'] as const)
    const side = dice.pick(['Buy', 'Sell'] as const)
    // Some wait far from the market.
    const level = !atEnd && dice.chance(0.8) ? 48 : side === 'Buy' ? 40 : 56
    return {
      kind: 'place',
      user,
      side,
      price: level + dice.below(5),
      lots: 1 + dice.below(life === 'market' ? 50 : 20),
      life,
    }
  })

/** An order that the engine rejected because it knows no such symbol. */
const stray: OrderUpdate = {
  ...{ order: orderId(3_000_000n), user: userId(120n), symbol: symbolId(99), side: 'Buy', type: 'Limit' },
  ...{ timeInForce: 'GoodTillCancel', price: price(5n), quantity: amount(70n), filled: amount(0n) },
  ...{ remaining: amount(0n), state: 'Rejected', reason: 'unknown symbol' },
}

const hourUs = 3_600_000_000n

/**
 * Times of so many outputs, over more than two days: several share one, so that only pos tells which came first, and each
 * hour ends with its last microsecond and begins with its first.
 */
const timesOf = (count: number, dice: Dice): bigint[] => {
  const times: bigint[] = []
  let time = 1_700_000_000_000_003n
  for (let index = 0; index < count; index++) {
    const last = times.at(-1)
    if (index % 8 === 0) time += BigInt(dice.below(860_000_000))
    const begun = time - (time % hourUs)
    if (last !== undefined && last < begun) {
      for (let before = index - 1; times[before] === last; before--) times[before] = begun - 1n
      time = begun
    }
    times.push(time)
  }
  return times
}

/**
 * More than two days of trading on two markets, the same at each call: sweeps through several makers, fees in base, quote
 * and a third asset, rebates, no fee at all, a user that trades with itself, and every way in which an order ends.
 */
export const twoMarkets = (): readonly EngineOutput[] => {
  const each = 2_000
  const [bitcoins = [], ethers = []] = [bitcoin, ether].map((market): EngineOutput[] => {
    const exchange = new TinyExchange()
    return commands(each, new Dice(market.symbol, 'commands'))
      .map(command => inMarket(exchange.take(command), market))
      .map(output => withOtherFees(output, { feesOf: trade => feesOf(trade, market), house: reference.house }))
  })
  const first: EngineOutput = {
    ...{ time: 0n, reference: null, orders: [stray], trades: [] },
    changes: [
      ...Array.from({ length: users }, (_, index) => deposit(BigInt(firstUser + index), points, 5_000n)),
      // Rebates are paid from it.
      ...reference.assets.map(({ asset }) => deposit(reference.house, asset, 100_000n)),
    ],
  }
  const all = [first, ...bitcoins.flatMap((output, index) => [output, ...ethers.slice(index, index + 1)])]
  // A seed by which days open and close with sweeps, so that the order within an output decides.
  const times = timesOf(all.length, new Dice(24, 'times'))
  const accounts = new Accounts()
  return all.map(({ orders, trades, changes }, index) => ({
    ...{ time: times[index] ?? 0n, reference: null },
    orders: orders.map(order => ({ ...order, user: isOne(order.user) })),
    trades: trades.map(trade => ({ ...trade, buyer: isOne(trade.buyer), seller: isOne(trade.seller) })),
    changes: changes.map(change => accounts.next({ ...change, user: isOne(change.user) })),
  }))
}
