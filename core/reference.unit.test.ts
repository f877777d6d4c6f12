import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Asset, ReferenceData, TradedSymbol } from './events.ts'
import { amount, assetId, price, symbolId, userId } from './ids.ts'
import { displayPrice, extendReference, toDisplay } from './reference.ts'

const btc: Asset = { asset: assetId(1), name: 'BTC', decimals: 8 }
const usdt: Asset = { asset: assetId(2), name: 'USDT', decimals: 6 }
const symbol: TradedSymbol = {
  symbol: symbolId(1),
  name: 'BTC-USDT',
  base: btc.asset,
  quote: usdt.asset,
  lot: amount(10_000n),
  priceScale: 2,
  quantityScale: 4,
}
const reference: ReferenceData = { assets: [btc, usdt], symbols: [symbol], house: userId(1n) }
const withAsset = (over: Partial<Asset>): ReferenceData => ({ ...reference, assets: [{ ...btc, ...over }, usdt] })
const withSymbol = (over: Partial<TradedSymbol>): ReferenceData => ({ ...reference, symbols: [{ ...symbol, ...over }] })

describe('reference data', () => {
  test('is extended by new assets and symbols, other names and scales', () => {
    const eth: Asset = { asset: assetId(3), name: 'ETH', decimals: 18 }
    const more: ReferenceData = {
      ...withSymbol({ name: 'XBT-USDT', priceScale: 3, quantityScale: 5 }),
      assets: [{ ...btc, name: 'XBT' }, usdt, eth],
    }
    expect(extendReference(null, reference)).toEqual({ kind: 'extended', reference })
    expect(extendReference(null, withAsset({ decimals: 36 })).kind).toBe('extended')
    expect(extendReference(reference, more)).toEqual({ kind: 'extended', reference: more })
  })

  test.each([
    ['Doubled', { ...reference, assets: [btc, usdt, { ...btc, name: 'X' }] }, 'asset id 1 stands twice'],
    ['Doubled', { ...reference, assets: [btc, usdt, { ...usdt, asset: assetId(3) }] }, 'asset name USDT stands twice'],
    ['Doubled', { ...reference, symbols: [symbol, { ...symbol, name: 'X' }] }, 'symbol id 1 stands twice'],
    [
      'Doubled',
      { ...reference, symbols: [symbol, { ...symbol, symbol: symbolId(2) }] },
      'symbol name BTC-USDT stands twice',
    ],
    ['UnknownAsset', withSymbol({ quote: assetId(9) }), 'trades asset 9, which is not in the reference'],
    ['UnknownAsset', withSymbol({ quote: btc.asset }), 'trades asset 1 against itself'],
    ['BadValue', withSymbol({ lot: amount(0n) }), 'has lot 0; a lot is a power of ten'],
    ['BadValue', withSymbol({ lot: amount(-10n) }), 'has lot -10'],
    ['BadValue', withSymbol({ lot: amount(20n) }), 'has lot 20'],
    ['BadValue', withSymbol({ name: ' ' }), 'symbol 1 has no name'],
    ['BadValue', withSymbol({ priceScale: -1 }), 'has scale -1'],
    ['BadValue', withSymbol({ quantityScale: 37 }), 'has scale 37'],
    ['BadValue', withAsset({ decimals: -1 }), 'has -1 decimals'],
    ['BadValue', withAsset({ name: '' }), 'asset 1 has no name'],
  ])('%s is refused', (kind, next, why) => {
    expect(extendReference(null, next)).toMatchObject({
      kind: 'refused',
      refusal: { kind, message: expect.stringContaining(why) },
    })
  })

  test.each([
    ['Altered', { ...reference, house: userId(2n) }, 'the house was 1 and would be 2; it never changes'],
    ['Altered', withAsset({ decimals: 9 }), 'decimals of asset 1 was 8 and would be 9'],
    ['Altered', withSymbol({ lot: amount(1n) }), 'lot of symbol 1 was 10000 and would be 1'],
    ['Altered', withSymbol({ base: usdt.asset, quote: btc.asset }), 'base of symbol 1 was 1 and would be 2'],
    ['Disappeared', { ...reference, symbols: [] }, 'symbol 1 (BTC-USDT) is gone'],
    ['Disappeared', { ...reference, assets: [usdt], symbols: [] }, 'asset 1 (BTC) is gone'],
  ])('%s since the one before is refused', (kind, next, why) => {
    expect(extendReference(null, next).kind).toBe('extended')
    expect(extendReference(reference, next)).toMatchObject({
      kind: 'refused',
      refusal: { kind, message: expect.stringContaining(why) },
    })
  })
})

test.each([
  [0n, 0, '0'],
  [0n, 2, '0.00'],
  [-150n, 2, '-1.50'],
  [5n, 3, '0.005'],
  [-5n, 3, '-0.005'],
  [2n ** 63n - 1n, 8, '92233720368.54775807'],
  [-(2n ** 63n), 0, '-9223372036854775808'],
])('%s with %i decimals is %s', (value, decimals, text) => {
  expect(toDisplay(value, decimals)).toBe(text)
})

test('a displayed amount reads back as itself', () => {
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 38n), 10n ** 38n), fc.integer({ min: 0, max: 36 }), (value, decimals) => {
      const text = toDisplay(value, decimals)
      expect(text).toMatch(decimals === 0 ? /^-?\d+$/ : new RegExp(`^-?\\d+\\.\\d{${decimals}}$`))
      expect(BigInt(text.replace('.', ''))).toBe(value)
    }),
  )
})

test.each([
  // 0.0001 BTC for 6.5 USDT: 65000 USDT a BTC.
  [6_500_000n, {}, '65000.00'],
  [6_500_001n, {}, '65000.01'],
  [6_500_001n, { priceScale: 0 }, '65000.01'],
  [6_500_000n, { priceScale: 0 }, '65000'],
  [1n, {}, '0.01'],
  [1n, { lot: amount(1n) }, '100.00'],
  [1n, { lot: amount(10n ** 10n), priceScale: 0 }, '0.00000001'],
  [12n, { lot: amount(100n), priceScale: 0 }, '12'],
])('price %s with %o is %s', (value, over, text) => {
  expect(displayPrice(price(value), symbol.symbol, withSymbol(over))).toBe(text)
})

test('a price of an unknown symbol is a bug of the caller', () => {
  expect(() => displayPrice(price(1n), symbolId(9), reference)).toThrow('symbol 9 is not in the reference data')
})
