import type { Asset, ReferenceData, TradedSymbol } from './events.ts'
import type { AssetId, Price, SymbolId } from './ids.ts'

type ReferenceRefusal = {
  readonly kind: /** An id or name stands twice among the assets or among the symbols. */
    | 'Doubled'
    /** A symbol names an asset that is not there, or one asset as both base and quote. */
    | 'UnknownAsset'
    /** A lot, number of decimals, scale or name that cannot be. */
    | 'BadValue'
    /** An asset or symbol of the reference before is gone. */
    | 'Disappeared'
    /** Decimals, base, quote, lot or house differ from the reference before. */
    | 'Altered'
  readonly message: string
}

export type ReferenceResult =
  | { readonly kind: 'extended'; readonly reference: ReferenceData }
  | { readonly kind: 'refused'; readonly refusal: ReferenceRefusal }

/** Most decimals of an asset and digits of a scale: an int64 has 19 digits, so more are never needed. */
const maxDecimals = 36

const refusal = (kind: ReferenceRefusal['kind'], message: string): ReferenceRefusal => ({ kind, message })

/**
 * The reference data after `next`, given what was known before it (null: nothing). Assets and symbols may be added,
 * names and scales may change; decimals, base, quote, lot and house never do, and nothing disappears: amounts already
 * settled would mean something else.
 */
export const extendReference = (previous: ReferenceData | null, next: ReferenceData): ReferenceResult => {
  const refused = checkReference(next) ?? (previous ? checkKept(previous, next) : null)
  return refused ? { kind: 'refused', refusal: refused } : { kind: 'extended', reference: next }
}

const checkReference = (reference: ReferenceData): ReferenceRefusal | null => {
  const { assets, symbols } = reference
  const doubled =
    doubledOf('asset id', assets, each => each.asset) ??
    doubledOf('asset name', assets, each => each.name) ??
    doubledOf('symbol id', symbols, each => each.symbol) ??
    doubledOf('symbol name', symbols, each => each.name)
  if (doubled) return doubled
  const known = new Set(assets.map(each => each.asset))
  return firstOf(assets, checkAsset) ?? firstOf(symbols, symbol => checkSymbol(symbol, known))
}

const firstOf = <T>(values: readonly T[], check: (value: T) => ReferenceRefusal | null): ReferenceRefusal | null => {
  for (const value of values) {
    const refused = check(value)
    if (refused) return refused
  }
  return null
}

const doubledOf = <T>(what: string, values: readonly T[], keyOf: (value: T) => unknown): ReferenceRefusal | null => {
  const seen = new Set<unknown>()
  for (const value of values) {
    const key = keyOf(value)
    if (seen.has(key)) return refusal('Doubled', `${what} ${String(key)} stands twice in the reference data`)
    seen.add(key)
  }
  return null
}

const isDigits = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= maxDecimals

const checkAsset = ({ asset, name, decimals }: Asset): ReferenceRefusal | null => {
  if (name.trim() === '') return refusal('BadValue', `asset ${asset} has no name`)
  if (!isDigits(decimals))
    return refusal('BadValue', `asset ${asset} (${name}) has ${decimals} decimals; 0 to ${maxDecimals} can be`)
  return null
}

const checkSymbol = (symbol: TradedSymbol, known: ReadonlySet<AssetId>): ReferenceRefusal | null => {
  const { name, base, quote, lot, priceScale, quantityScale } = symbol
  const named = `symbol ${symbol.symbol} (${name})`
  if (name.trim() === '') return refusal('BadValue', `symbol ${symbol.symbol} has no name`)
  for (const asset of [base, quote])
    if (!known.has(asset))
      return refusal('UnknownAsset', `${named} trades asset ${asset}, which is not in the reference`)
  if (base === quote) return refusal('UnknownAsset', `${named} trades asset ${base} against itself`)
  if (!isPowerOfTen(lot)) return refusal('BadValue', `${named} has lot ${lot}; a lot is a power of ten`)
  for (const scale of [priceScale, quantityScale])
    if (!isDigits(scale)) return refusal('BadValue', `${named} has scale ${scale}; 0 to ${maxDecimals} can be`)
  return null
}

const isPowerOfTen = (value: bigint): boolean => /^10*$/.test(value.toString())

const checkKept = (previous: ReferenceData, next: ReferenceData): ReferenceRefusal | null => {
  const altered = (what: string, was: unknown, is: unknown): ReferenceRefusal =>
    refusal('Altered', `${what} was ${String(was)} and would be ${String(is)}; it never changes`)
  if (next.house !== previous.house) return altered('the house', previous.house, next.house)
  const assets = new Map(next.assets.map(each => [each.asset, each]))
  const symbols = new Map(next.symbols.map(each => [each.symbol, each]))
  return (
    firstOf(previous.assets, was => {
      const is = assets.get(was.asset)
      if (!is) return refusal('Disappeared', `asset ${was.asset} (${was.name}) is gone from the reference data`)
      return is.decimals === was.decimals ? null : altered(`decimals of asset ${was.asset}`, was.decimals, is.decimals)
    }) ??
    firstOf(previous.symbols, was => {
      const is = symbols.get(was.symbol)
      if (!is) return refusal('Disappeared', `symbol ${was.symbol} (${was.name}) is gone from the reference data`)
      const field = (['base', 'quote', 'lot'] as const).find(each => is[each] !== was[each])
      return field ? altered(`${field} of symbol ${was.symbol}`, was[field], is[field]) : null
    })
  )
}

/** An amount (or a sum) in whole units, exact, with all `decimals` digits: (−150, 2) is "-1.50". */
export const toDisplay = (amount: bigint, decimals: number): string => {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  return `${amount < 0n ? '-' : ''}${whole}${decimals === 0 ? '' : `.${digits.slice(whole.length)}`}`
}

/**
 * A price in whole quote units per whole base unit, exact: price · 10^(base decimals − quote decimals) / lot. It has
 * the symbol's `priceScale` digits after the point, and more only where they are not zero, at most
 * max(0, quote decimals + digits of the lot − base decimals).
 * @throws Error when the symbol or one of its assets is not in the reference
 */
export const displayPrice = (price: Price, symbol: SymbolId, reference: ReferenceData): string => {
  const traded = reference.symbols.find(each => each.symbol === symbol)
  if (!traded) throw new Error(`symbol ${symbol} is not in the reference data`)
  const decimalsOf = (asset: AssetId): number => {
    const found = reference.assets.find(each => each.asset === asset)
    if (!found) throw new Error(`asset ${asset} of symbol ${symbol} is not in the reference data`)
    return found.decimals
  }
  const digits = decimalsOf(traded.quote) + (traded.lot.toString().length - 1) - decimalsOf(traded.base)
  const exact = digits >= 0 ? toDisplay(price, digits) : (price * 10n ** BigInt(-digits)).toString()
  const [whole, fraction = ''] = exact.split('.')
  const shown = fraction.replace(/0+$/, '').padEnd(traded.priceScale, '0')
  return shown === '' ? `${whole}` : `${whole}.${shown}`
}
