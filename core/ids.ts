declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A user of the exchange; the house is a user too. */
export type UserId = Brand<bigint, 'UserId'>
/** An asset, as numbered by the engine's reference data. */
export type AssetId = Brand<number, 'AssetId'>
/** A traded pair, as numbered by the engine's reference data. */
export type SymbolId = Brand<number, 'SymbolId'>
export type OrderId = Brand<bigint, 'OrderId'>
export type TradeId = Brand<bigint, 'TradeId'>
/** An amount in an asset's smallest unit. */
export type Amount = Brand<bigint, 'Amount'>
/** A price: quote smallest units per lot of the symbol's base asset. */
export type Price = Brand<bigint, 'Price'>
/** Counts the changes of one (user, asset): 1, 2, 3 … without holes. */
export type Version = Brand<bigint, 'Version'>
/** Position in the log, int64 microseconds, strictly increasing; the write timestamp of everything downstream. */
export type Pos = Brand<bigint, 'Pos'>

export const userId = (value: bigint): UserId => value as UserId
export const assetId = (value: number): AssetId => value as AssetId
export const symbolId = (value: number): SymbolId => value as SymbolId
export const orderId = (value: bigint): OrderId => value as OrderId
export const tradeId = (value: bigint): TradeId => value as TradeId
export const amount = (value: bigint): Amount => value as Amount
export const price = (value: bigint): Price => value as Price
export const version = (value: bigint): Version => value as Version
export const pos = (value: bigint): Pos => value as Pos
