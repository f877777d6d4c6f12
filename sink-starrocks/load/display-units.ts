import type { ReferenceData } from '../../core/events.ts'
import type { AssetId, Pos, Price, SymbolId } from '../../core/ids.ts'
import { toDisplay } from '../../core/reference.ts'
import { refuse } from '../../runtime/stop.ts'

/** DECIMAL(38, 18): digits after the point, and before it. */
const scale = 18
const wholeLimit = 10n ** 20n

/** What of the reference data the amounts need; both the engine's records and StarRocks' tables have it. */
type KnownAsset = { readonly asset: AssetId; readonly decimals: number }
type KnownSymbol = {
  readonly symbol: SymbolId
  readonly base: AssetId
  readonly quote: AssetId
  readonly lot: bigint
  /** pos of the first record that told of it. */
  readonly since: bigint
}
export type KnownReference = { readonly assets: readonly KnownAsset[]; readonly symbols: readonly KnownSymbol[] }

/** Amounts of one symbol as DECIMAL(38, 18) texts in whole units. */
export type SymbolUnits = {
  readonly base: (units: bigint) => string
  readonly quote: (units: bigint) => string
  readonly price: (price: Price) => string
}

/** Turns smallest units into the exact decimal texts that analysts read, by the reference data met so far. */
export class DisplayUnits {
  readonly #decimals = new Map<AssetId, number>()
  readonly #symbols = new Map<SymbolId, KnownSymbol>()
  readonly #made = new Map<SymbolId, SymbolUnits>()

  /** @throws Stop `asset-decimals` for an asset that DECIMAL(38, 18) can't show, `reference-altered` when decimals differ */
  learn({ assets, symbols }: KnownReference): void {
    for (const { asset, decimals } of assets) {
      const known = this.#decimals.get(asset)
      if (known !== undefined && known !== decimals)
        throw refuse(
          'reference-altered',
          `asset ${asset} had ${known} decimals and now has ${decimals}; decimals never change: StarRocks holds another log's rows`,
        )
      if (decimals > scale)
        throw refuse(
          'asset-decimals',
          `asset ${asset} has ${decimals} decimals, StarRocks' DECIMAL(38,18) shows ${scale} at most; its amounts can't be loaded exactly`,
        )
      this.#decimals.set(asset, decimals)
    }
    // Not looked into before a row needs it: StarRocks may show the symbols of a load whose assets are still on their way.
    for (const told of symbols) {
      const before = this.#symbols.get(told.symbol)
      this.#symbols.set(told.symbol, before && before.since < told.since ? before : told)
    }
  }

  /** Learns what a record of the log tells at its pos. */
  learnRecord({ assets, symbols }: ReferenceData, pos: Pos): void {
    this.learn({
      assets,
      symbols: symbols.map(({ symbol, base, quote, lot }) => ({ symbol, base, quote, lot, since: pos })),
    })
  }

  /** An amount in whole units. @throws Stop `asset-unknown` before the asset's reference data was met */
  amount(asset: AssetId, units: bigint): string {
    return toDisplay(units, this.#decimalsOf(asset))
  }

  /**
   * pos of the first record that told of the symbol; null before one was met. Partitions are read at their own pace
   * and records more than once: what was known at a pos must not hang on what is known now.
   */
  since(symbol: SymbolId): bigint | null {
    return this.#symbols.get(symbol)?.since ?? null
  }

  /** @throws Stop `symbol-unknown` or `asset-unknown` before the reference data of the symbol was met */
  symbol(symbol: SymbolId): SymbolUnits {
    const made = this.#made.get(symbol)
    if (made) return made
    const known = this.#symbols.get(symbol)
    if (!known)
      throw refuse('symbol-unknown', `symbol ${symbol} is in no reference data read so far; the log began without it`)
    const { base, quote, lot } = known
    const priceDigits = this.#decimalsOf(quote) + (lot.toString().length - 1) - this.#decimalsOf(base)
    const units: SymbolUnits = {
      base: amount => this.amount(base, amount),
      quote: amount => this.amount(quote, amount),
      price: price => priceText(price, priceDigits, symbol),
    }
    this.#made.set(symbol, units)
    return units
  }

  #decimalsOf(asset: AssetId): number {
    const found = this.#decimals.get(asset)
    if (found === undefined)
      throw refuse('asset-unknown', `asset ${asset} is in no reference data read so far; the log began without it`)
    return found
  }
}

/** Whole quote units per whole base unit; `digits` may be negative (a price in thousands). */
const priceText = (price: bigint, digits: number, symbol: SymbolId): string => {
  const surplus = Math.max(0, digits - scale)
  const cut = 10n ** BigInt(surplus)
  const shown = digits < 0 ? price * 10n ** BigInt(-digits) : price / cut
  const shownDigits = Math.max(0, digits - surplus)
  const limit = wholeLimit * 10n ** BigInt(shownDigits)
  if (price % cut !== 0n || shown >= limit || shown <= -limit)
    throw refuse(
      'price-digits',
      `a price of ${price} of symbol ${symbol} has ${digits} digits after the point: DECIMAL(38,18) can't show it exactly`,
    )
  return toDisplay(shown, shownDigits)
}
