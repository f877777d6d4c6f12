import type { Asset, ReferenceData, TradedSymbol } from '../../../core/events.ts'
import { amount, assetId, symbolId, userId } from '../../../core/ids.ts'

/** What the random flow must know of a symbol beyond its reference data. */
export type Market = {
  readonly traded: TradedSymbol
  /** Where its price walk begins and is drawn back to: quote smallest units per lot. */
  readonly startPrice: bigint
  /** Prices of orders are multiples of it. */
  readonly tick: bigint
  /** The largest order of the random flow. */
  readonly maxLots: number
}

/** An asset with the amount that a user is typically given of it, in smallest units. */
export type Funded = Asset & { readonly typicalDeposit: bigint }

const asset = (id: number, name: string, decimals: number, typicalDeposit: bigint): Funded => ({
  asset: assetId(id),
  name,
  decimals,
  typicalDeposit,
})

const assets: readonly Funded[] = [
  asset(1, 'USDT', 6, 200_000_000_000n),
  asset(2, 'BTC', 8, 300_000_000n),
  asset(3, 'ETH', 8, 6_000_000_000n),
  asset(4, 'SOL', 8, 120_000_000_000n),
]

type Row = Pick<TradedSymbol, 'name' | 'priceScale' | 'quantityScale'> & Omit<Market, 'traded'> & { lot: bigint }
const rows: readonly Row[] = [
  {
    name: 'BTC-USDT',
    lot: 10_000n,
    priceScale: 2,
    quantityScale: 4,
    startPrice: 6_000_000n,
    tick: 10n,
    maxLots: 5_000,
  },
  { name: 'ETH-USDT', lot: 10_000n, priceScale: 2, quantityScale: 4, startPrice: 300_000n, tick: 1n, maxLots: 80_000 },
  { name: 'ETH-BTC', lot: 1_000_000n, priceScale: 6, quantityScale: 2, startPrice: 50_000n, tick: 1n, maxLots: 800 },
  {
    name: 'SOL-USDT',
    lot: 1_000_000n,
    priceScale: 2,
    quantityScale: 2,
    startPrice: 1_500_000n,
    tick: 100n,
    maxLots: 16_000,
  },
  {
    name: 'SOL-BTC',
    lot: 100_000_000n,
    priceScale: 7,
    quantityScale: 0,
    startPrice: 250_000n,
    tick: 10n,
    maxLots: 160,
  },
]

const assetNamed = (name: string | undefined): Funded => {
  const found = assets.find(known => known.name === name)
  if (!found) throw new Error(`no asset is named ${String(name)}`)
  return found
}

/** Every market the random flow can trade, with ids that never change. */
export const allMarkets: readonly Market[] = rows.map(({ startPrice, tick, maxLots, lot, ...shown }, i) => {
  const [base, quote] = shown.name.split('-').map(assetNamed)
  if (!base || !quote) throw new Error(`symbol ${shown.name} is not BASE-QUOTE`)
  const traded = { ...shown, symbol: symbolId(i + 1), base: base.asset, quote: quote.asset, lot: amount(lot) }
  return { traded, startPrice, tick, maxLots }
})

export const defaultMarketNames: readonly string[] = allMarkets.slice(0, 3).map(market => market.traded.name)

/** The assets of these markets, by id. */
export const assetsOf = (markets: readonly Market[]): readonly Funded[] => {
  const used = new Set(markets.flatMap(({ traded }) => [traded.base, traded.quote]))
  return assets.filter(known => used.has(known.asset))
}

/** The reference data of an engine that trades these markets. */
export const referenceOf = (markets: readonly Market[], house: bigint): ReferenceData => ({
  assets: assetsOf(markets).map(({ asset: id, name, decimals }) => ({ asset: id, name, decimals })),
  symbols: markets.map(market => market.traded),
  house: userId(house),
})
