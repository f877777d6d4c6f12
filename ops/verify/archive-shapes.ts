import type { BalanceChange, LogRecord, OrderUpdate, ReferenceData, Trade } from '../../core/events.ts'
import type { ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { type OutputRow, outputsTable } from '../../schemas/archive/outputs-table.ts'
import type { Table } from '../../schemas/archive/table.ts'
import {
  type LedgerRow,
  type OrderRow,
  type ReferenceRow,
  type TradeRow,
  userTables,
} from '../../schemas/archive/user-tables.ts'
import type { Row, RowShape } from './row-shape.ts'

/** Rows of a file are named by partition, pos and place in the output. */
const shape = ({ name, columns }: Pick<Table<unknown>, 'name' | 'columns'>): RowShape => ({
  place: 'CSV',
  table: name,
  columns: ['partition', ...columns],
  key: columns[1] === 'idx' ? 3 : 2,
})

/** The archive's tables, each row with the partition whose files it must stand in. */
export const archiveShapes: Readonly<Record<ArchiveTable, RowShape>> = {
  trades: shape(userTables.trades),
  orders: shape(userTables.orders),
  ledger: shape(userTables.ledger),
  reference: shape(userTables.reference),
  outputs: shape(outputsTable),
}

export const archiveRow = <R>(table: Table<R>, partition: number, row: R): Row => [
  `${partition}`,
  ...table.toCells(row),
]

type Place = Pick<TradeRow, 'pos' | 'idx' | 'time'>

export const tradeCells = (partition: number, trade: Trade, place: Place): Row =>
  archiveRow<TradeRow>(userTables.trades, partition, { ...trade, ...place })

export const orderCells = (partition: number, update: OrderUpdate, place: Place): Row =>
  archiveRow<OrderRow>(userTables.orders, partition, { ...update, ...place })

/** `command`: the id of the operator's command behind a correction, else empty. */
export const ledgerCells = (partition: number, change: BalanceChange, place: Place & { command: string }): Row =>
  archiveRow<LedgerRow>(userTables.ledger, partition, { ...change, ...place })

export const outputCells = (record: LogRecord, time: bigint | null, value: Buffer): Row =>
  archiveRow<OutputRow>(outputsTable, 0, {
    pos: record.pos,
    kind: record.kind,
    epoch: record.at.epoch,
    random: record.at.random,
    seq: record.at.seq,
    chain: record.at.chain,
    time,
    record: value,
  })

const none = { decimals: null, base: null, quote: null, lot: null, priceScale: null, quantityScale: null }

/** Reference data as partition 0 tells it: assets, symbols, then the house. */
export const referenceCells = (reference: ReferenceData, place: Omit<Place, 'idx'>): readonly Row[] => {
  const { assets, symbols, house } = reference
  const rows: readonly Omit<ReferenceRow, 'pos' | 'idx' | 'time'>[] = [
    ...assets.map(each => ({
      ...none,
      kind: 'asset' as const,
      id: BigInt(each.asset),
      name: each.name,
      decimals: each.decimals,
    })),
    ...symbols.map(each => ({
      ...none,
      kind: 'symbol' as const,
      id: BigInt(each.symbol),
      name: each.name,
      base: each.base,
      quote: each.quote,
      lot: each.lot,
      priceScale: each.priceScale,
      quantityScale: each.quantityScale,
    })),
    { ...none, kind: 'house', id: house, name: 'house' },
  ]
  return rows.map((row, idx) => archiveRow<ReferenceRow>(userTables.reference, 0, { ...place, idx, ...row }))
}
