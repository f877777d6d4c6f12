import type { BalanceChange, Indexed, OrderUpdate, ReferenceData, Side, Trade, UserRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { toDatetime } from '../../schemas/starrocks/datetime.ts'
import type { TableName } from '../../schemas/starrocks/tables.ts'
import type { DisplayUnits } from './display-units.ts'

/** A value as text, in the order of the table's columns. */
export type Cell = string | number | bigint | null

export type TableRow = {
  readonly table: TableName
  readonly cells: readonly Cell[]
  /**
   * For tables whose rows change: which row this is, and its rank among rows of that key; the highest stays, of equal
   * ones the last. Null for rows that are what they are for ever.
   */
  readonly latest: { readonly key: string; readonly rank: bigint; readonly place: number } | null
}

type Stamp = { readonly time: string; readonly pos: Pos }

/**
 * Everything that one record of `user.outputs` puts into StarRocks. The same record gives the same rows, whoever makes
 * them and when: a trade's own row comes from the buyer's record, everything else from its owner's.
 */
export const rowsOf = (record: UserRecord, units: DisplayUnits): TableRow[] => {
  switch (record.kind) {
    case 'UserOutput': {
      const at = { time: toDatetime(record.time), pos: record.pos }
      return [
        ...record.trades.flatMap(trade => tradeRows(trade, { ...at, user: record.user }, units)),
        ...record.orders.flatMap(order => orderRows(order, at, units)),
        ...record.changes.flatMap(change => changeRows(change, at, units)),
      ]
    }
    case 'UserCorrection': {
      // It has no engine's time; its pos is the log's own time, where the command's is whatever an operator's clock said.
      const at = { time: toDatetime(record.pos), pos: record.pos }
      const value: BalanceChange = { ...record.correction, reason: 'Correction', ref: 0n }
      return changeRows({ index: 0, value }, at, units)
    }
    case 'UserReference':
      units.learnRecord(record.reference, record.pos)
      return referenceRows(record.reference, record.pos, units)
    case 'UserRedrive':
    case 'Barrier':
      return []
  }
}

const row = (table: TableName, cells: readonly Cell[]): TableRow => ({ table, cells, latest: null })

const tradeRows = (
  { index, value: trade }: Indexed<Trade>,
  at: Stamp & { readonly user: bigint },
  units: DisplayUnits,
): TableRow[] => {
  const rows: TableRow[] = []
  if (trade.buyer === at.user) {
    rows.push(wholeTrade(trade, index, at, units))
    rows.push(sideOfTrade(trade, 'Buy', index, at, units))
  }
  if (trade.seller === at.user) rows.push(sideOfTrade(trade, 'Sell', index, at, units))
  return rows
}

const wholeTrade = (trade: Trade, index: number, at: Stamp, units: DisplayUnits): TableRow => {
  const shown = units.symbol(trade.symbol)
  return row('trades', [
    trade.trade,
    at.time,
    trade.symbol,
    shown.price(trade.price),
    shown.base(trade.quantity),
    shown.quote(trade.quote),
    trade.taker,
    trade.buyer,
    trade.seller,
    trade.buyOrder,
    trade.sellOrder,
    units.amount(trade.buyFeeAsset, trade.buyFee),
    trade.buyFeeAsset,
    units.amount(trade.sellFeeAsset, trade.sellFee),
    trade.sellFeeAsset,
    trade.price,
    trade.quantity,
    trade.quote,
    trade.buyFee,
    trade.sellFee,
    at.pos,
    index,
  ])
}

const sideOfTrade = (trade: Trade, side: Side, index: number, at: Stamp, units: DisplayUnits): TableRow => {
  const shown = units.symbol(trade.symbol)
  const mine =
    side === 'Buy'
      ? { user: trade.buyer, order: trade.buyOrder, fee: trade.buyFee, feeAsset: trade.buyFeeAsset }
      : { user: trade.seller, order: trade.sellOrder, fee: trade.sellFee, feeAsset: trade.sellFeeAsset }
  return row('user_trades', [
    trade.trade,
    mine.user,
    side,
    at.time,
    trade.symbol,
    mine.order,
    trade.taker === side ? 'Taker' : 'Maker',
    shown.price(trade.price),
    shown.base(trade.quantity),
    shown.quote(trade.quote),
    units.amount(mine.feeAsset, mine.fee),
    mine.feeAsset,
    trade.price,
    trade.quantity,
    trade.quote,
    mine.fee,
    at.pos,
    index,
  ])
}

const orderRows = ({ index, value: order }: Indexed<OrderUpdate>, at: Stamp, units: DisplayUnits): TableRow[] => {
  // Engines reject orders of symbols that they do not know: nobody can say in what units those were meant.
  const since = units.since(order.symbol)
  const known = since !== null && since <= at.pos
  const shown = order.state === 'Rejected' && !known ? null : units.symbol(order.symbol)
  const priced = order.type === 'Limit'
  const said: readonly Cell[] = [
    order.user,
    order.symbol,
    order.side,
    order.type,
    order.timeInForce,
    order.state,
    shown && priced ? shown.price(order.price) : null,
    shown && shown.base(order.quantity),
    shown && shown.base(order.filled),
    shown && shown.base(order.remaining),
    priced ? order.price : null,
    order.quantity,
    order.filled,
    order.remaining,
    order.reason,
  ]
  return [
    row('order_events', [order.order, at.pos, index, at.time, ...said]),
    {
      table: 'orders',
      cells: [order.order, ...said, at.time, at.pos, index],
      latest: { key: order.order.toString(), rank: at.pos, place: index },
    },
  ]
}

const changeRows = ({ index, value: change }: Indexed<BalanceChange>, at: Stamp, units: DisplayUnits): TableRow[] => {
  const shown = (amount: bigint): string => units.amount(change.asset, amount)
  const after = [shown(change.available), shown(change.frozen)]
  return [
    row('ledger', [
      change.user,
      change.asset,
      change.version,
      at.time,
      change.reason,
      change.ref,
      shown(change.deltaAvailable),
      shown(change.deltaFrozen),
      ...after,
      change.deltaAvailable,
      change.deltaFrozen,
      change.available,
      change.frozen,
      at.pos,
      index,
    ]),
    {
      table: 'balances',
      cells: [change.user, change.asset, ...after, change.available, change.frozen, change.version, at.time, at.pos],
      latest: { key: `${change.user}/${change.asset}`, rank: change.version, place: 0 },
    },
  ]
}

const referenceRows = ({ assets, symbols, house }: ReferenceData, pos: Pos, units: DisplayUnits): TableRow[] => [
  ...assets.map(({ asset, name, decimals }) =>
    latestRow('assets', `${asset}`, [asset, name, decimals, units.amount(asset, 1n), pos], pos),
  ),
  ...symbols.map(each => latestRow('symbols', `${each.symbol}`, [...symbolCells(each, units), pos], pos)),
  latestRow('stream_meta', 'house', ['house', house, pos], pos),
]

const symbolCells = (each: ReferenceData['symbols'][number], units: DisplayUnits): Cell[] => [
  each.symbol,
  each.name,
  each.base,
  each.quote,
  each.lot,
  each.priceScale,
  each.quantityScale,
  units.since(each.symbol),
]

const latestRow = (table: TableName, key: string, cells: readonly Cell[], pos: Pos): TableRow => ({
  table,
  cells,
  latest: { key, rank: pos, place: 0 },
})
