import type {
  BalanceChange,
  CorrectionBody,
  EngineOutput,
  OrderUpdate,
  ReferenceData,
  Trade,
  TradedSymbol,
} from '../../core/events.ts'
import type { AssetId, Pos, Price, SymbolId, UserId } from '../../core/ids.ts'

/** Nothing but what the engine said, in its order. */
export type NaiveWorld = {
  readonly trades: readonly (Trade & { readonly time: bigint })[]
  readonly orders: readonly (OrderUpdate & { readonly time: bigint })[]
  readonly changes: readonly (BalanceChange & { readonly time: bigint })[]
  readonly reference: ReferenceData
}

export type Corrected = { readonly pos: Pos; readonly correction: CorrectionBody }

/** An operator's correction has no engine's time; its pos tells it. */
export const naiveWorld = (
  outputs: readonly EngineOutput[],
  reference: ReferenceData,
  { pos, correction }: Corrected,
): NaiveWorld => ({
  trades: outputs.flatMap(({ time, trades }) => trades.map(each => ({ ...each, time }))),
  orders: outputs.flatMap(({ time, orders }) => orders.map(each => ({ ...each, time }))),
  changes: [
    ...outputs.flatMap(({ time, changes }) => changes.map(each => ({ ...each, time }))),
    { ...correction, reason: 'Correction', ref: 0n, time: pos },
  ],
  reference,
})

/** How the amounts of a market, or of an asset, are shown. */
export type NaiveMarket = TradedSymbol & {
  readonly decimals: { readonly base: number; readonly quote: number }
  readonly inBase: (units: bigint) => string
  readonly inQuote: (units: bigint) => string
  readonly priced: (price: Price) => string
}
export const assetOf = ({ reference }: NaiveWorld, id: AssetId): ReferenceData['assets'][number] => {
  const found = reference.assets.find(({ asset }) => asset === id)
  if (!found) throw new Error(`no asset ${id}`)
  return found
}
/** @returns undefined for an order of a symbol that nobody knows */
export const findMarket = (world: NaiveWorld, id: SymbolId): NaiveMarket | undefined => {
  const found = world.reference.symbols.find(({ symbol }) => symbol === id)
  if (!found) return undefined
  const [base, quote] = [assetOf(world, found.base).decimals, assetOf(world, found.quote).decimals]
  return {
    ...found,
    decimals: { base, quote },
    inBase: units => whole(units, base),
    inQuote: units => whole(units, quote),
    priced: price => whole((price * 10n ** BigInt(base)) / found.lot, quote),
  }
}
export const marketOf = (world: NaiveWorld, id: SymbolId): NaiveMarket => {
  const found = findMarket(world, id)
  if (!found) throw new Error(`no symbol ${id}`)
  return found
}

/** One side of a trade, as its user sees it. */
export type Side = {
  readonly user: UserId
  readonly side: 'Buy' | 'Sell'
  readonly role: 'Maker' | 'Taker'
  readonly fee: bigint
  readonly feeAsset: AssetId
  readonly trade: NaiveWorld['trades'][number]
}
export const sidesOf = ({ trades }: NaiveWorld): Side[] =>
  trades.flatMap(trade => [
    {
      user: trade.buyer,
      side: 'Buy' as const,
      role: trade.taker === 'Buy' ? ('Taker' as const) : ('Maker' as const),
      fee: trade.buyFee,
      feeAsset: trade.buyFeeAsset,
      trade,
    },
    {
      user: trade.seller,
      side: 'Sell' as const,
      role: trade.taker === 'Sell' ? ('Taker' as const) : ('Maker' as const),
      fee: trade.sellFee,
      feeAsset: trade.sellFeeAsset,
      trade,
    },
  ])

export const sum = <T>(items: readonly T[], of: (item: T) => bigint): bigint =>
  items.reduce((total, item) => total + of(item), 0n)

export const lastOf = <T>(items: readonly T[]): T => items[items.length - 1] as T

/** What the sides of one user in one market come to, in smallest units. */
export const flowsOf = (mine: readonly Side[], { base, quote }: TradedSymbol) => {
  const of = (side: 'Buy' | 'Sell', amount: (each: Side) => bigint): bigint =>
    sum(
      mine.filter(each => each.side === side),
      amount,
    )
  const fees = (asset: AssetId, side?: 'Buy' | 'Sell'): bigint =>
    sum(
      mine.filter(each => each.feeAsset === asset && (side === undefined || each.side === side)),
      ({ fee }) => fee,
    )
  return {
    bought: of('Buy', ({ trade }) => trade.quantity),
    sold: of('Sell', ({ trade }) => trade.quantity),
    paid: of('Buy', ({ trade }) => trade.quote),
    received: of('Sell', ({ trade }) => trade.quote),
    baseFees: fees(base),
    baseFeesOfBuys: fees(base, 'Buy'),
    baseFeesOfSales: fees(base, 'Sell'),
    quoteFees: fees(quote),
    otherFees: mine.filter(({ feeAsset }) => feeAsset !== base && feeAsset !== quote).length,
  }
}

/** Groups in the order of their keys' texts. */
export const groups = <T>(items: readonly T[], key: (item: T) => string): [string, T[]][] =>
  [...Map.groupBy(items, key)].sort(([a], [b]) => (a < b ? -1 : 1))

/** µs as `YYYY-MM-DD HH:MM:SS[.ffffff]`, cut to whole units of so many µs. */
export const cutTime = (time: bigint, unit: bigint): string => {
  const cut = time - (time % unit)
  const micros = String(cut % 1_000_000n).padStart(6, '0')
  return `${new Date(Number(cut / 1000n)).toISOString().slice(0, 19).replace('T', ' ')}.${micros}`
}
export const [microsecond, minute, hour, day] = [1n, 60_000_000n, 3_600_000_000n, 86_400_000_000n]

/** Smallest units as an exact decimal text. */
export const whole = (units: bigint, decimals: number): string => {
  const text = (units < 0n ? -units : units).toString().padStart(decimals + 1, '0')
  const [before, after] = [text.slice(0, text.length - decimals), text.slice(text.length - decimals)]
  return `${units < 0n ? '-' : ''}${before}${decimals > 0 ? `.${after}` : ''}`
}
