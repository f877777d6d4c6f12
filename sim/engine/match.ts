import type { OrderState, TradedSymbol } from '../../core/events.ts'
import { amount, orderId, price as asPrice, tradeId, userId } from '../../core/ids.ts'
import { type OpenOrder, remainingOf } from './book/open-order.ts'
import type { MatchingEngine } from './matching-engine.ts'

/** How a taker ends, and what it paid out of its reserve: quote for a limit buy, base for a sell. */
export type Matched = {
  readonly spent: bigint
  readonly end:
    | { readonly kind: 'rests' }
    | { readonly kind: 'closed'; readonly state: OrderState; readonly reason: string }
}

/** Trades a new order against the book, best price first, oldest order first. */
export const match = (engine: MatchingEngine, taker: OpenOrder, traded: TradedSymbol): Matched => {
  const book = engine.orders.book(taker.symbol)
  const opposite = taker.side === 'Buy' ? 'Sell' : 'Buy'
  let spent = 0n
  while (remainingOf(taker) > 0n) {
    const maker = book.best(opposite)
    if (!maker || !crosses(taker, maker.price)) return { spent, end: withoutMaker(taker) }
    if (maker.user === taker.user) {
      // Self-trade prevention: the resting order gives way, the new one goes on.
      engine.close(maker, 'Cancelled', 'self-trade')
      continue
    }
    const quantity = least(remainingOf(taker), remainingOf(maker), affordable(engine, taker, maker.price, traded))
    if (quantity === 0n) return { spent, end: { kind: 'closed', state: 'Cancelled', reason: 'out of funds' } }
    const quote = (maker.price * quantity) / traded.lot
    settleTrade(engine, { taker, maker, quantity, quote, traded })
    spent += taker.side === 'Buy' ? quote : quantity
  }
  return { spent, end: { kind: 'closed', state: 'Filled', reason: '' } }
}

const crosses = (taker: OpenOrder, price: bigint): boolean =>
  taker.type === 'Market' || (taker.side === 'Buy' ? price <= taker.price : price >= taker.price)

const withoutMaker = (taker: OpenOrder): Matched['end'] => {
  if (taker.type === 'Market') return { kind: 'closed', state: 'Cancelled', reason: 'no liquidity' }
  if (taker.timeInForce === 'ImmediateOrCancel')
    return { kind: 'closed', state: 'Expired', reason: 'immediate or cancel' }
  return { kind: 'rests' }
}

/** A market buy reserves nothing: it takes what the money at hand pays for. Everyone else has reserved. */
const affordable = (engine: MatchingEngine, taker: OpenOrder, price: bigint, traded: TradedSymbol): bigint => {
  if (taker.type === 'Limit' || taker.side === 'Sell') return taker.quantity
  return (engine.accounts.of(taker.user, traded.quote).available / price) * traded.lot
}

const least = (a: bigint, b: bigint, c: bigint): bigint => {
  const ab = a < b ? a : b
  return ab < c ? ab : c
}

type Fill = {
  readonly taker: OpenOrder
  readonly maker: OpenOrder
  readonly quantity: bigint
  readonly quote: bigint
  readonly traded: TradedSymbol
}

const settleTrade = (engine: MatchingEngine, fill: Fill): void => {
  const { taker, maker, quantity, quote, traded } = fill
  const [buy, sell] = taker.side === 'Buy' ? [taker, maker] : [maker, taker]
  const ref = engine.ledger.nextTrade++
  const buyFee = feeOf(engine, buy === taker ? 'taker' : 'maker', quantity)
  const sellFee = feeOf(engine, sell === taker ? 'taker' : 'maker', quote)
  const { base, quote: quoteAsset } = traded
  engine.addTrade({
    trade: tradeId(ref),
    symbol: traded.symbol,
    price: asPrice(maker.price),
    quantity: amount(quantity),
    quote: amount(quote),
    buyer: userId(buy.user),
    seller: userId(sell.user),
    buyOrder: orderId(buy.order),
    sellOrder: orderId(sell.order),
    taker: taker.side,
    buyFee: amount(buyFee),
    buyFeeAsset: base,
    sellFee: amount(sellFee),
    sellFeeAsset: quoteAsset,
  })
  const [fromAvailable, fromFrozen] = buy.type === 'Market' ? [-quote, 0n] : [0n, -quote]
  const posting = { reason: 'Trade', ref } as const
  engine.post({ ...posting, user: buy.user, asset: base, available: quantity - buyFee, frozen: 0n })
  engine.post({ ...posting, user: buy.user, asset: quoteAsset, available: fromAvailable, frozen: fromFrozen })
  engine.post({ ...posting, user: sell.user, asset: base, available: 0n, frozen: -quantity })
  engine.post({ ...posting, user: sell.user, asset: quoteAsset, available: quote - sellFee, frozen: 0n })
  const fee = { user: engine.house, frozen: 0n, reason: 'Fee', ref } as const
  engine.post({ ...fee, asset: base, available: buyFee })
  engine.post({ ...fee, asset: quoteAsset, available: sellFee })
  fillMaker(engine, maker, quantity)
  taker.filled += quantity
}

const feeOf = (engine: MatchingEngine, role: 'maker' | 'taker', received: bigint): bigint =>
  (received * (role === 'maker' ? engine.fees.makerBp : engine.fees.takerBp)) / 10_000n

/** A maker meets a taker once in an output: it is used up, or it ends the taker. So this is its one update. */
const fillMaker = (engine: MatchingEngine, maker: OpenOrder, quantity: bigint): void => {
  maker.filled += quantity
  const isFilled = remainingOf(maker) === 0n
  if (isFilled) engine.orders.remove(maker)
  engine.show(maker, isFilled ? 'Filled' : 'PartiallyFilled', '', 'again')
}
