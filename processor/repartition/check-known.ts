import type { EngineOutput, ReferenceData } from '../../core/events.ts'

/** Every asset and symbol of an output must stand in the reference data before it; null when all do. */
export const checkKnown = (
  { orders, trades, changes }: EngineOutput,
  reference: ReferenceData | null,
): { readonly kind: 'unknown-asset' | 'unknown-symbol'; readonly message: string } | null => {
  if (orders.length + trades.length + changes.length === 0) return null
  const symbols = new Set(reference?.symbols.map(({ symbol }) => symbol))
  const unknownSymbol = [...orders, ...trades].find(({ symbol, ...rest }) => !symbols.has(symbol) && !isRejected(rest))
  if (unknownSymbol) {
    const message = `symbol ${unknownSymbol.symbol} is not in the reference data before this output`
    return { kind: 'unknown-symbol', message }
  }
  const assets = new Set(reference?.assets.map(({ asset }) => asset))
  const unknownAsset = changes.find(({ asset }) => !assets.has(asset))
  if (!unknownAsset) return null
  return {
    kind: 'unknown-asset',
    message: `asset ${unknownAsset.asset} is not in the reference data before this output`,
  }
}

/** An order may well be rejected because its symbol is unknown. */
const isRejected = (value: object): boolean => 'state' in value && (value.state === 'Rejected' || value.state === 'New')
