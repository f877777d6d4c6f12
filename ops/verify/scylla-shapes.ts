import type { BalanceChange, OrderUpdate, ReferenceData, Trade, TradedSymbol } from '../../core/events.ts'
import type { LedgerBalance } from '../../core/oracle/naive-balances.ts'
import type { LedgerPlace } from '../../core/oracle/naive-ledger.ts'
import { idBlock } from '../../schemas/cql/placement.ts'
import { cellText } from './cell-text.ts'
import type { Row, RowShape } from './row-shape.ts'

/** Fields by column name: what the log calls for in one row of the store. */
type Fields = Readonly<Record<string, unknown>>

const shape = (table: string, key: readonly string[], rest: readonly string[]): RowShape => ({
  place: 'ScyllaDB',
  table,
  columns: [...key, ...rest],
  key: key.length,
})

/** A row out of its fields; the same for what the log calls for and what the store has. */
export const rowOf = ({ columns }: RowShape, fields: Fields): Row => columns.map(column => cellText(fields[column]))

const tradeFields = [
  ...['symbol', 'price', 'quantity', 'quote', 'buyer', 'seller', 'buy_order', 'sell_order', 'taker'],
  ...['buy_fee', 'buy_fee_asset', 'sell_fee', 'sell_fee_asset'],
]

/** Rows that never change once written, by table. */
export const scyllaRows = {
  history: shape('history', ['user_id', 'bucket', 'pos'], ['time', 'orders', 'trades', 'postings']),
  orders: shape('orders', ['block', 'order_id', 'pos'], ['time', 'user_id', 'updates']),
  trades: shape('trades', ['block', 'trade_id'], ['pos', 'idx', 'time', ...tradeFields]),
  intervals: shape('intervals', ['barrier_pos', 'part'], ['sums', 'flow', 'n', 'previous']),
} as const

/** Rows that change, by table. */
export const scyllaStates = {
  balances: shape('balances', ['user_id', 'asset'], ['available', 'frozen', 'version', 'pos']),
  historyBuckets: shape('history_buckets', ['user_id', 'bucket'], ['items', 'pos']),
  openOrders: shape('open_orders', ['user_id', 'slot'], ['orders', 'pos']),
  assets: shape('assets', ['asset'], ['name', 'decimals', 'pos']),
  symbols: shape('symbols', ['symbol'], ['name', 'base', 'quote', 'lot', 'price_scale', 'quantity_scale', 'pos']),
  house: shape('house', ['id'], ['user_id', 'pos']),
} as const

const orderValue = (update: OrderUpdate): Fields => ({
  order_id: update.order,
  symbol: update.symbol,
  side: update.side,
  order_type: update.type,
  time_in_force: update.timeInForce,
  price: update.price,
  quantity: update.quantity,
  filled: update.filled,
  remaining: update.remaining,
  state: update.state,
  reason: update.reason,
})

const tradeValue = (trade: Trade): Fields => ({
  trade_id: trade.trade,
  symbol: trade.symbol,
  price: trade.price,
  quantity: trade.quantity,
  quote: trade.quote,
  buyer: trade.buyer,
  seller: trade.seller,
  buy_order: trade.buyOrder,
  sell_order: trade.sellOrder,
  taker: trade.taker,
  buy_fee: trade.buyFee,
  buy_fee_asset: trade.buyFeeAsset,
  sell_fee: trade.sellFee,
  sell_fee_asset: trade.sellFeeAsset,
})

const postingValue = (change: BalanceChange): Fields => ({
  asset: change.asset,
  delta_available: change.deltaAvailable,
  delta_frozen: change.deltaFrozen,
  available: change.available,
  frozen: change.frozen,
  version: change.version,
  reason: change.reason,
  ref: change.ref,
})

/** What one record of the log says of one user, each with its place in the engine's output. */
export type UserHistory = {
  readonly orders: (readonly [number, OrderUpdate])[]
  readonly trades: (readonly [number, Trade])[]
  readonly postings: (readonly [number, BalanceChange])[]
}

type HistoryPlace = { readonly user: bigint; readonly bucket: bigint; readonly pos: bigint; readonly time: bigint }

export const historyRow = ({ user, ...place }: HistoryPlace, said: UserHistory): Row =>
  rowOf(scyllaRows.history, {
    user_id: user,
    ...place,
    orders: said.orders.map(indexedOrder),
    trades: said.trades.map(([idx, trade]) => ({ idx, ...tradeValue(trade) })),
    postings: said.postings.map(([idx, change]) => ({ idx, ...postingValue(change) })),
  })

export const orderRows = ({ user, pos, time }: Omit<HistoryPlace, 'bucket'>, { orders }: UserHistory): readonly Row[] =>
  [...Map.groupBy(orders, ([, { order }]) => order)].map(([order, updates]) =>
    rowOf(scyllaRows.orders, {
      block: idBlock(order),
      order_id: order,
      pos,
      time,
      user_id: user,
      updates: updates.map(indexedOrder),
    }),
  )

const indexedOrder = ([idx, update]: UserHistory['orders'][number]): Fields => ({ idx, ...orderValue(update) })

export const tradeRow = (trade: Trade, { pos, time, index }: LedgerPlace): Row =>
  rowOf(scyllaRows.trades, { block: idBlock(trade.trade), pos, idx: index, time, ...tradeValue(trade) })

type OpenOrders = {
  readonly user: bigint
  readonly slot: number
  readonly pos: bigint
  readonly orders: readonly { readonly update: OrderUpdate; readonly pos: bigint; readonly time: bigint }[]
}

export const openOrdersRow = ({ user, orders, ...place }: OpenOrders): Row =>
  rowOf(scyllaStates.openOrders, {
    user_id: user,
    ...place,
    orders: orders.map(({ update, pos, time }) => {
      const { reason: _, ...order } = orderValue(update)
      return { ...order, pos, time }
    }),
  })

export const balanceRow = (user: bigint, asset: number, balance: LedgerBalance, pos: bigint | undefined): Row =>
  rowOf(scyllaStates.balances, { user_id: user, asset, ...balance, pos })

/** What one partition saw between two barriers. Sums and flow per asset, zeros left out. */
export type Interval = {
  readonly pos: bigint
  readonly partition: number
  readonly sums: ReadonlyMap<number, bigint>
  readonly flow: ReadonlyMap<number, bigint>
  readonly n: bigint
  readonly previous: bigint
}

export const intervalRow = ({ pos, partition, sums, flow, n, previous }: Interval): Row =>
  rowOf(scyllaRows.intervals, { barrier_pos: pos, part: partition, sums, flow, n, previous })

/** The rows of one record of reference data. */
export const referenceRows = (
  { assets, symbols, house }: ReferenceData,
  pos: bigint,
): readonly (readonly ['assets' | 'symbols' | 'house', Row])[] => [
  ...assets.map(each => ['assets', rowOf(scyllaStates.assets, { ...each, pos })] as const),
  ...symbols.map(each => ['symbols', rowOf(scyllaStates.symbols, symbolFields(each, pos))] as const),
  ['house', rowOf(scyllaStates.house, { id: 1, user_id: house, pos })],
]

const symbolFields = ({ priceScale, quantityScale, ...rest }: TradedSymbol, pos: bigint): Fields => ({
  ...rest,
  price_scale: priceScale,
  quantity_scale: quantityScale,
  pos,
})
