import type { BalanceChange, Indexed, OrderUpdate, ReferenceData, Trade } from '../../core/events.ts'
import type { Cell } from '../../core/fold.ts'
import type { AssetId, OrderId, Pos, UserId } from '../../core/ids.ts'
import { type CqlParam, type CqlStatement, CqlTuple, CqlVarint } from '../../runtime/cql/port.ts'
import { idBlock } from '../../schemas/cql/placement.ts'
import type { Bucket } from './history-buckets.ts'
import type { OpenOrder, OpenOrderSlot } from './open-orders.ts'

const balancesInsert = 'INSERT INTO balances (user_id, asset, bal) VALUES (?, ?, ?) USING TIMESTAMP ?'

/** A balance as one cell, at the pos that it carries itself. */
export const balanceRow = (user: UserId, asset: AssetId, cell: Cell): CqlStatement => ({
  cql: balancesInsert,
  params: [user, asset, new CqlTuple(cell.available, cell.frozen, cell.version, cell.pos), cell.pos],
})

const historyInsert =
  'INSERT INTO history (user_id, bucket, pos, time, orders, trades, postings) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?'

/** Everything of one record that concerns its user. */
export type HistoryItem = {
  readonly user: UserId
  readonly pos: Pos
  readonly time: bigint
  readonly orders: readonly Indexed<OrderUpdate>[]
  readonly trades: readonly Indexed<Trade>[]
  readonly changes: readonly Indexed<BalanceChange>[]
}

export const historyRow = (record: HistoryItem, { from }: Bucket): CqlStatement => ({
  cql: historyInsert,
  params: [
    record.user,
    from,
    record.pos,
    record.time,
    record.orders.map(orderValue),
    record.trades.map(tradeValue),
    record.changes.map(postingValue),
    record.pos,
  ],
})

/** How far a bucket is counted, in one cell. */
export const bucketRow = (user: UserId, { from, items, pos }: Bucket): CqlStatement => ({
  cql: 'INSERT INTO history_buckets (user_id, bucket, counted) VALUES (?, ?, ?) USING TIMESTAMP ?',
  params: [user, from, new CqlTuple(items, pos), pos],
})

const orderValue = ({ index, value }: Indexed<OrderUpdate>): CqlParam => ({
  idx: index,
  order_id: value.order,
  symbol: value.symbol,
  side: value.side,
  order_type: value.type,
  time_in_force: value.timeInForce,
  price: value.price,
  quantity: value.quantity,
  filled: value.filled,
  remaining: value.remaining,
  state: value.state,
  reason: value.reason,
})

const tradeValue = ({ index, value }: Indexed<Trade>): CqlParam => ({
  idx: index,
  trade_id: value.trade,
  symbol: value.symbol,
  price: value.price,
  quantity: value.quantity,
  quote: value.quote,
  buyer: value.buyer,
  seller: value.seller,
  buy_order: value.buyOrder,
  sell_order: value.sellOrder,
  taker: value.taker,
  buy_fee: value.buyFee,
  buy_fee_asset: value.buyFeeAsset,
  sell_fee: value.sellFee,
  sell_fee_asset: value.sellFeeAsset,
})

const postingValue = ({ index, value }: Indexed<BalanceChange>): CqlParam => ({
  idx: index,
  asset: value.asset,
  delta_available: value.deltaAvailable,
  delta_frozen: value.deltaFrozen,
  available: value.available,
  frozen: value.frozen,
  version: value.version,
  reason: value.reason,
  ref: value.ref,
})

type At = { readonly pos: Pos; readonly time: bigint }

const ordersInsert =
  'INSERT INTO orders (block, order_id, pos, time, user_id, updates) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?'

/** What one record says of one order of its user. */
export const orderRow = (
  order: OrderId,
  updates: readonly Indexed<OrderUpdate>[],
  { user, pos, time }: At & { readonly user: UserId },
): CqlStatement => ({
  cql: ordersInsert,
  params: [idBlock(order), order, pos, time, user, updates.map(orderValue), pos],
})

const openOrdersInsert = 'INSERT INTO open_orders (user_id, slot, orders) VALUES (?, ?, ?) USING TIMESTAMP ?'

/** One cell of a user's open orders, at the pos that it carries itself. */
export const openOrdersRow = (user: UserId, slot: number, { orders, pos }: OpenOrderSlot): CqlStatement => ({
  cql: openOrdersInsert,
  params: [user, slot, new CqlTuple(orders.map(openOrderValue), pos), pos],
})

const openOrderValue = (open: OpenOrder): CqlParam => ({
  order_id: open.order,
  pos: open.pos,
  time: open.time,
  symbol: open.symbol,
  side: open.side,
  order_type: open.type,
  time_in_force: open.timeInForce,
  price: open.price,
  quantity: open.quantity,
  filled: open.filled,
  remaining: open.remaining,
  state: open.state,
})

const tradesInsert =
  'INSERT INTO trades (block, trade_id, pos, idx, time, symbol, price, quantity, quote, buyer, seller, buy_order, sell_order, taker, buy_fee, buy_fee_asset, sell_fee, sell_fee_asset) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?'

export const tradeRow = ({ index, value }: Indexed<Trade>, { pos, time }: At): CqlStatement => ({
  cql: tradesInsert,
  params: [
    idBlock(value.trade),
    value.trade,
    pos,
    index,
    time,
    value.symbol,
    value.price,
    value.quantity,
    value.quote,
    value.buyer,
    value.seller,
    value.buyOrder,
    value.sellOrder,
    value.taker,
    value.buyFee,
    value.buyFeeAsset,
    value.sellFee,
    value.sellFeeAsset,
    pos,
  ],
})

export const parkedRow = (parked: {
  readonly user: UserId
  readonly pos: Pos
  readonly asset: AssetId
  readonly version: bigint
  readonly code: string
  readonly message: string
}): CqlStatement => ({
  cql: 'INSERT INTO parked (user_id, pos, asset, version, code, message) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?',
  params: [parked.user, parked.pos, parked.asset, parked.version, parked.code, parked.message, parked.pos],
})

/** A map of sums by asset: zeros left out. */
const sumsValue = (sums: Iterable<readonly [AssetId, bigint]>): ReadonlyMap<CqlParam, CqlParam> =>
  new Map([...sums].filter(([, sum]) => sum !== 0n).map(([asset, sum]) => [asset, new CqlVarint(sum)]))

export const intervalRow = (interval: {
  readonly pos: Pos
  readonly partition: number
  readonly n: bigint
  readonly previous: Pos
  readonly sums: Iterable<readonly [AssetId, bigint]>
  readonly flow: Iterable<readonly [AssetId, bigint]>
}): CqlStatement => ({
  cql: 'INSERT INTO intervals (barrier_pos, part, sums, flow, n, previous) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?',
  params: [
    interval.pos,
    interval.partition,
    sumsValue(interval.sums),
    sumsValue(interval.flow),
    interval.n,
    interval.previous,
    interval.pos,
  ],
})

/** The reference data of one record; every partition's owner writes the same bytes. One inner list per partition key. */
export const referenceRows = ({ assets, symbols, house }: ReferenceData, pos: Pos): CqlStatement[][] => [
  ...assets.map(({ asset, name, decimals }) => [
    {
      cql: 'INSERT INTO assets (asset, name, decimals, pos) VALUES (?, ?, ?, ?) USING TIMESTAMP ?',
      params: [asset, name, decimals, pos, pos],
    },
  ]),
  ...symbols.map(each => [
    {
      cql: 'INSERT INTO symbols (symbol, name, base, quote, lot, price_scale, quantity_scale, pos) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?',
      params: [each.symbol, each.name, each.base, each.quote, each.lot, each.priceScale, each.quantityScale, pos, pos],
    },
  ]),
  [{ cql: 'INSERT INTO house (id, user_id, pos) VALUES (?, ?, ?) USING TIMESTAMP ?', params: [1, house, pos, pos] }],
]
