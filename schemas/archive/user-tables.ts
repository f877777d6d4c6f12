import type { BalanceChange, OrderUpdate, Trade, UserRecord } from '../../core/events.ts'
import { amount, type AssetId, type Pos, type SymbolId, type UserId, version } from '../../core/ids.ts'
import type { UserTable } from './archive-tables.ts'
import { bigints, defineTable, integers, oneOf, optional, type Table, text, time } from './table.ts'

/** Where a row stands: the log's position, the place within the output, and the engine's time (µs). */
type RowPlace = { readonly pos: Pos; readonly idx: number; readonly time: bigint }

export type TradeRow = RowPlace & Trade
export type OrderRow = RowPlace & OrderUpdate
/** `command`: the id of the operator's command behind a correction; empty for the engine's own postings. */
export type LedgerRow = RowPlace & BalanceChange & { readonly command: string }
/** One asset, one symbol, or the house. Cells that a kind does not have are null. */
export type ReferenceRow = RowPlace & {
  readonly kind: 'asset' | 'symbol' | 'house'
  /** The asset's, symbol's or house user's number. */
  readonly id: bigint
  readonly name: string
  readonly decimals: number | null
  readonly base: AssetId | null
  readonly quote: AssetId | null
  readonly lot: bigint | null
  readonly priceScale: number | null
  readonly quantityScale: number | null
}

const place = { pos: bigints<Pos>(), idx: integers(), time }
const side = oneOf('Buy', 'Sell')

/** One row per trade, from the buyer's record. */
export const tradesTable: Table<TradeRow> = defineTable<TradeRow>('trades', {
  ...place,
  trade: bigints(),
  symbol: integers<SymbolId>(),
  price: bigints(),
  quantity: bigints(),
  quote: bigints(),
  buyer: bigints<UserId>(),
  seller: bigints<UserId>(),
  buyOrder: bigints(),
  sellOrder: bigints(),
  taker: side,
  buyFee: bigints(),
  buyFeeAsset: integers<AssetId>(),
  sellFee: bigints(),
  sellFeeAsset: integers<AssetId>(),
})

/** One row per change of an order. */
export const ordersTable: Table<OrderRow> = defineTable<OrderRow>('orders', {
  ...place,
  order: bigints(),
  user: bigints<UserId>(),
  symbol: integers<SymbolId>(),
  side,
  type: oneOf('Limit', 'Market'),
  timeInForce: oneOf('GoodTillCancel', 'ImmediateOrCancel'),
  price: bigints(),
  quantity: bigints(),
  filled: bigints(),
  remaining: bigints(),
  state: oneOf('New', 'PartiallyFilled', 'Filled', 'Cancelled', 'Rejected', 'Expired'),
  reason: text,
})

/** One row per balance change, and one per correction. */
export const ledgerTable: Table<LedgerRow> = defineTable<LedgerRow>('ledger', {
  ...place,
  user: bigints<UserId>(),
  asset: integers<AssetId>(),
  deltaAvailable: bigints(),
  deltaFrozen: bigints(),
  available: bigints(),
  frozen: bigints(),
  version: bigints(),
  reason: oneOf('Deposit', 'Withdrawal', 'Correction', 'Reserve', 'Release', 'Trade', 'Fee'),
  ref: bigints(),
  command: text,
})

/** The reference data, whole at each change; partition 0 alone carries it. */
export const referenceTable: Table<ReferenceRow> = defineTable<ReferenceRow>('reference', {
  ...place,
  kind: oneOf('asset', 'symbol', 'house'),
  id: bigints(),
  name: text,
  decimals: optional(integers()),
  base: optional(integers<AssetId>()),
  quote: optional(integers<AssetId>()),
  lot: optional(bigints()),
  priceScale: optional(integers()),
  quantityScale: optional(integers()),
})

/** Every table of `user.outputs` by its name. */
export const userTables = {
  trades: tradesTable,
  orders: ordersTable,
  ledger: ledgerTable,
  reference: referenceTable,
} as const

/** The rows that one record of `user.outputs` gives, as cells, in the order in which they stand in the files. */
export const userRows = (record: UserRecord, partition: number): readonly (readonly [UserTable, string[]])[] => {
  switch (record.kind) {
    case 'UserOutput': {
      const { pos, time: at, user } = record
      return [
        ...record.trades
          .filter(({ value }) => value.buyer === user)
          .map(({ index, value }) => tradeCells({ ...value, pos, idx: index, time: at })),
        ...record.orders.map(({ index, value }) => orderCells({ ...value, pos, idx: index, time: at })),
        ...record.changes.map(({ index, value }) => ledgerCells({ ...value, pos, idx: index, time: at, command: '' })),
      ]
    }
    case 'UserCorrection':
      return [ledgerCells(correctionRow(record))]
    case 'UserReference':
      // Every partition is told; one of them writes it down, so that each fact is one row.
      return partition === 0 ? referenceRows(record).map(row => ['reference', referenceTable.toCells(row)]) : []
    case 'UserRedrive':
    case 'Barrier':
      return []
  }
}

const tradeCells = (row: TradeRow): readonly [UserTable, string[]] => ['trades', tradesTable.toCells(row)]
const orderCells = (row: OrderRow): readonly [UserTable, string[]] => ['orders', ordersTable.toCells(row)]
const ledgerCells = (row: LedgerRow): readonly [UserTable, string[]] => ['ledger', ledgerTable.toCells(row)]

/** A correction is a posting that an operator made: its time is the operator's. */
const correctionRow = ({ pos, correction, command }: Extract<UserRecord, { kind: 'UserCorrection' }>): LedgerRow => ({
  pos,
  idx: 0,
  time: command.time,
  user: correction.user,
  asset: correction.asset,
  deltaAvailable: amount(correction.deltaAvailable),
  deltaFrozen: amount(correction.deltaFrozen),
  available: correction.available,
  frozen: correction.frozen,
  version: version(correction.version),
  reason: 'Correction',
  ref: 0n,
  command: command.id,
})

const referenceRows = (record: Extract<UserRecord, { kind: 'UserReference' }>): ReferenceRow[] => {
  const { pos, time: at, reference } = record
  const blank = { decimals: null, base: null, quote: null, lot: null, priceScale: null, quantityScale: null }
  const rows: Omit<ReferenceRow, keyof RowPlace>[] = [
    ...reference.assets.map(({ asset, name, decimals }) => ({
      ...blank,
      kind: 'asset' as const,
      id: BigInt(asset),
      name,
      decimals,
    })),
    ...reference.symbols.map(({ symbol, ...rest }) => ({
      ...blank,
      kind: 'symbol' as const,
      id: BigInt(symbol),
      ...rest,
    })),
    { ...blank, kind: 'house', id: reference.house, name: 'house' },
  ]
  return rows.map((row, idx) => ({ pos, idx, time: at, ...row }))
}
