import type { BalanceChange, EngineOutput, OrderUpdate, ReferenceData, Trade } from '../../core/events.ts'

/** Nothing but what the engine said, in its order. */
export type NaiveWorld = {
  readonly trades: readonly (Trade & { readonly time: bigint })[]
  readonly orders: readonly (OrderUpdate & { readonly time: bigint })[]
  readonly changes: readonly (BalanceChange & { readonly time: bigint })[]
  readonly reference: ReferenceData
}

export const naiveWorld = (outputs: readonly EngineOutput[], reference: ReferenceData): NaiveWorld => ({
  trades: outputs.flatMap(({ time, trades }) => trades.map(each => ({ ...each, time }))),
  orders: outputs.flatMap(({ time, orders }) => orders.map(each => ({ ...each, time }))),
  changes: outputs.flatMap(({ time, changes }) => changes.map(each => ({ ...each, time }))),
  reference,
})

/** One side of a trade, as its user sees it. */
export type Side = {
  readonly user: bigint
  readonly side: 'Buy' | 'Sell'
  readonly role: 'Maker' | 'Taker'
  readonly fee: bigint
  readonly feeAsset: number
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
  return `${units < 0n ? '-' : ''}${text.slice(0, text.length - decimals)}.${text.slice(text.length - decimals)}`
}
