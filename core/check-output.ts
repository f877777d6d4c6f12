import type { AssetFlow, BalanceChange, EngineOutput, OrderUpdate, Trade } from './events.ts'
import { flowOfChanges, isExternal } from './flow.ts'
import type { AssetId, OrderId, TradeId } from './ids.ts'
import { checkOrder, followOrder } from './order-lifecycle.ts'
import type { OutputRefusal } from './output-refusal.ts'
import { checkSides } from './trade-sides.ts'

/**
 * Checks what one output proves by itself, without anything that came before it and without reference data:
 *
 * - with reference data the three lists are empty;
 * - each order update is consistent, and several updates of one order follow each other;
 * - a trade's quantity, quote and price are positive, and its id stands once;
 * - both orders of a trade have an update of the right user, symbol and side, and an order's filled amount grows by
 *   exactly its trades; where the update that it grew from is in an earlier output, its trades are no more than it has
 *   filled, and Filled has at least one;
 * - changes without an external reason sum to zero per asset. Each change counts by its own reason, so a deposit does
 *   not excuse a trade beside it;
 * - Reserve and Release move money and change no total;
 * - buyer's and seller's `Trade` changes with the trade's id as ref are the trade, net of each one's own fee, for one
 *   pair of assets per symbol (which asset is which follows from the amounts; that it is the right pair is the
 *   reference's matter);
 * - `Fee` changes belong to one user and add up, per asset, to the fees of the trades, netted or one by one.
 *
 * Not provable here and left to the fold: versions, values after a change, funds. Not checked: whether prices are fair.
 */
export const checkOutput = (output: EngineOutput): OutputRefusal | null =>
  checkReferenceAlone(output) ??
  checkTrades(output.trades) ??
  checkOrders(output) ??
  checkZero(output.changes) ??
  checkMoves(output.changes) ??
  checkSides(output) ??
  checkFees(output)

const checkReferenceAlone = ({ reference, orders, trades, changes }: EngineOutput): OutputRefusal | null => {
  if (!reference || orders.length + trades.length + changes.length === 0) return null
  const message = `reference data stands beside ${orders.length} orders, ${trades.length} trades and ${changes.length} changes`
  return { kind: 'ReferenceWithLists', message }
}

const checkTrades = (trades: readonly Trade[]): OutputRefusal | null => {
  const seen = new Set<TradeId>()
  for (const { trade, price, quantity, quote } of trades) {
    if (seen.has(trade)) return { kind: 'TradeDoubled', trade, message: `trade ${trade} stands twice in one output` }
    seen.add(trade)
    if (price <= 0n || quantity <= 0n || quote <= 0n) {
      const message = `trade ${trade}: price ${price}, quantity ${quantity} and quote ${quote} are not all positive`
      return { kind: 'BadTrade', trade, message }
    }
  }
  return null
}

type OrderSpan = { readonly first: OrderUpdate; last: OrderUpdate; traded: bigint }

const checkOrders = ({ orders, trades }: EngineOutput): OutputRefusal | null => {
  const spans = new Map<OrderId, OrderSpan>()
  for (const update of orders) {
    const span = spans.get(update.order)
    const refused = span ? followOrder(span.last, update) : checkOrder(update)
    if (refused) return { kind: 'BadOrder', order: update.order, message: refused.message }
    if (span) span.last = update
    else spans.set(update.order, { first: update, last: update, traded: 0n })
  }
  for (const trade of trades) {
    const refused = takeSide(spans, trade, 'Buy') ?? takeSide(spans, trade, 'Sell')
    if (refused) return refused
  }
  for (const span of spans.values()) {
    const refused = checkFilled(span)
    if (refused) return refused
  }
  return null
}

const takeSide = (spans: Map<OrderId, OrderSpan>, trade: Trade, side: 'Buy' | 'Sell'): OutputRefusal | null => {
  const [order, user] = side === 'Buy' ? [trade.buyOrder, trade.buyer] : [trade.sellOrder, trade.seller]
  const span = spans.get(order)
  const update = span?.last
  if (!span || update?.user !== user || update.symbol !== trade.symbol || update.side !== side) {
    const found = update ? `is of user ${update.user}, symbol ${update.symbol}, ${update.side}` : 'has no update'
    const message = `trade ${trade.trade}: ${side} order ${order} of user ${user}, symbol ${trade.symbol}, ${found}`
    return { kind: 'OrderMissing', trade: trade.trade, order, message }
  }
  span.traded += trade.quantity
  return null
}

/**
 * A first update that is not New has grown already by some of the output's trades: which, one output can't tell. Filled
 * has grown by one of them at least; PartiallyFilled may be a reduction.
 */
const checkFilled = ({ first, last, traded }: OrderSpan): OutputRefusal | null => {
  const { order, filled } = last
  const grown = filled - first.filled
  const least = first.state === 'Filled' ? 1n : grown
  const fits = first.state === 'New' ? grown === traded : least <= traded && traded <= filled
  if (fits) return null
  const message = `order ${order}: filled goes from ${first.filled} (${first.state}) to ${filled}, its trades are ${traded}`
  return { kind: 'FilledUnequal', order, filled, traded, message }
}

const checkMoves = (changes: readonly BalanceChange[]): OutputRefusal | null => {
  for (const [index, change] of changes.entries()) {
    const { reason, deltaAvailable, deltaFrozen, user, asset, version } = change
    if (reason !== 'Reserve' && reason !== 'Release') continue
    const wrongWay = reason === 'Reserve' ? deltaFrozen < 0n : deltaFrozen > 0n
    if (deltaAvailable + deltaFrozen === 0n && !wrongWay) continue
    const message = `${reason} of user ${user}, asset ${asset}, version ${version}: available by ${deltaAvailable}, frozen by ${deltaFrozen}`
    return { kind: 'NotMoved', index, change, message }
  }
  return null
}

const checkFees = ({ trades, changes }: EngineOutput): OutputRefusal | null => {
  const ids = new Set(trades.map(each => each.trade))
  const received: BalanceChange[] = []
  for (const [index, change] of changes.entries()) {
    if (change.reason !== 'Fee') continue
    if (!ids.has(change.ref as TradeId)) {
      const message = `Fee change of user ${change.user}, asset ${change.asset}: no trade of the output is ${change.ref}`
      return { kind: 'StrayChange', index, change, message }
    }
    const house = received[0]?.user ?? change.user
    if (house !== change.user) {
      const message = `users ${house} and ${change.user} both receive fees; one house does`
      return { kind: 'SeveralHouses', users: [house, change.user], message }
    }
    received.push(change)
  }
  return compareFees(trades, flowOfChanges(received))
}

const compareFees = (trades: readonly Trade[], received: readonly AssetFlow[]): OutputRefusal | null => {
  const owed = new Map<AssetId, bigint>()
  for (const { buyFee, buyFeeAsset, sellFee, sellFeeAsset } of trades) {
    owed.set(buyFeeAsset, (owed.get(buyFeeAsset) ?? 0n) + buyFee)
    owed.set(sellFeeAsset, (owed.get(sellFeeAsset) ?? 0n) + sellFee)
  }
  const got = new Map(received.map(({ asset, amount }) => [asset, amount]))
  for (const asset of new Set([...owed.keys(), ...got.keys()])) {
    const [paid, taken] = [owed.get(asset) ?? 0n, got.get(asset) ?? 0n]
    if (paid === taken) continue
    const message = `fees in asset ${asset}: the trades say ${paid}, the house receives ${taken}`
    return { kind: 'FeesUnequal', asset, paid, received: taken, message }
  }
  return null
}

const checkZero = (changes: readonly BalanceChange[]): OutputRefusal | null => {
  const [found] = flowOfChanges(changes.filter(change => !isExternal(change.reason)))
  if (!found) return null
  const { asset, amount: sum } = found
  return { kind: 'NotZero', asset, sum, message: `changes of asset ${asset} without an external reason sum to ${sum}` }
}
