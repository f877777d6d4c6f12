import type { EngineOutput, Trade } from './events.ts'
import type { AssetId, SymbolId, TradeId, UserId } from './ids.ts'
import type { OutputRefusal } from './output-refusal.ts'

/** Per user and asset, what the `Trade` changes of one trade add up to. */
type Sums = Map<UserId, Map<AssetId, bigint>>
type Pair = { readonly base: AssetId; readonly quote: AssetId }

/** Base, quote and two fee assets: no trade touches more. */
const maxAssets = 4

/** Both sides of every trade: buyer's and seller's `Trade` changes are the trade, net of each one's own fee. */
export const checkSides = (output: EngineOutput): OutputRefusal | null => {
  const sums = new Map<TradeId, Sums>(output.trades.map(each => [each.trade, new Map()]))
  const parties = new Map(output.trades.map(each => [each.trade, each]))
  for (const [index, change] of output.changes.entries()) {
    if (change.reason !== 'Trade') continue
    const trade = parties.get(change.ref as TradeId)
    if (!trade || (change.user !== trade.buyer && change.user !== trade.seller)) {
      const why = trade ? 'the user is no party of it' : 'the output has no such trade'
      const message = `Trade change of user ${change.user}, asset ${change.asset}, trade ${change.ref}: ${why}`
      return { kind: 'StrayChange', index, change, message }
    }
    addTo(sums.get(trade.trade) as Sums, change.user, change.asset, change.deltaAvailable + change.deltaFrozen)
  }
  const pairs = new Map<SymbolId, readonly Pair[]>()
  for (const trade of output.trades) {
    const found = sums.get(trade.trade) as Sums
    const fitting = (pairs.get(trade.symbol) ?? pairsOf(found)).filter(pair => equal(found, expected(trade, pair)))
    if (fitting.length === 0) return { kind: 'SidesUnequal', trade: trade.trade, message: unequal(trade, found) }
    pairs.set(trade.symbol, fitting)
  }
  return null
}

const addTo = (sums: Sums, user: UserId, asset: AssetId, amount: bigint): void => {
  const assets = sums.get(user) ?? new Map<AssetId, bigint>()
  assets.set(asset, (assets.get(asset) ?? 0n) + amount)
  sums.set(user, assets)
}

const negative = (amount: bigint): bigint => -amount

const pairsOf = (sums: Sums): Pair[] => {
  const assets = [...new Set([...sums.values()].flatMap(each => [...each.keys()]))]
  if (assets.length > maxAssets) return []
  return assets.flatMap(base => assets.filter(quote => quote !== base).map(quote => ({ base, quote })))
}

const expected = (trade: Trade, { base, quote }: Pair): Sums => {
  const sums: Sums = new Map()
  addTo(sums, trade.buyer, base, trade.quantity)
  addTo(sums, trade.buyer, quote, negative(trade.quote))
  addTo(sums, trade.buyer, trade.buyFeeAsset, negative(trade.buyFee))
  addTo(sums, trade.seller, base, negative(trade.quantity))
  addTo(sums, trade.seller, quote, trade.quote)
  addTo(sums, trade.seller, trade.sellFeeAsset, negative(trade.sellFee))
  return sums
}

const equal = (left: Sums, right: Sums): boolean => within(left, right) && within(right, left)
const within = (left: Sums, right: Sums): boolean =>
  [...left].every(([user, assets]) =>
    [...assets].every(([asset, amount]) => amount === (right.get(user)?.get(asset) ?? 0n)),
  )

const unequal = (trade: Trade, sums: Sums): string => {
  const side = (user: UserId): string =>
    [...(sums.get(user) ?? [])].map(([asset, amount]) => `${amount} of asset ${asset}`).join(', ') || 'nothing'
  const fees = `fees ${trade.buyFee} of asset ${trade.buyFeeAsset} and ${trade.sellFee} of asset ${trade.sellFeeAsset}`
  return (
    `trade ${trade.trade} of ${trade.quantity} for ${trade.quote} (${fees}): ` +
    `buyer ${trade.buyer} gets ${side(trade.buyer)}; seller ${trade.seller} gets ${side(trade.seller)}`
  )
}
