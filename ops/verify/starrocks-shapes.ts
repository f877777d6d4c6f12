import type { AssetId, SymbolId } from '../../core/ids.ts'
import type { BalanceChange, OrderUpdate, ReferenceData, Side, Trade } from '../../core/events.ts'
import { type TableName, tableNamed } from '../../schemas/starrocks/tables.ts'
import type { Row, RowShape } from './row-shape.ts'

type Value = string | number | bigint | null
type Fields = Readonly<Record<string, Value>>

/** Where a row stands; `time` as the engine said it, or pos for an operator's correction, which has none. */
export type TablePlace = { readonly pos: bigint; readonly time: bigint; readonly index: number }

const shape = (table: TableName): RowShape => {
  const { columns, key } = tableNamed(table)
  const rest = columns.map(({ name }) => name).filter(name => !key.includes(name))
  return { place: 'StarRocks', table, columns: [...key, ...rest], key: key.length }
}

/** Rows that never change once loaded, by table. */
export const starrocksRows = {
  trades: shape('trades'),
  userTrades: shape('user_trades'),
  orderEvents: shape('order_events'),
  ledger: shape('ledger'),
} as const

/** Rows that change, by table. */
export const starrocksStates = {
  orders: shape('orders'),
  balances: shape('balances'),
  assets: shape('assets'),
  symbols: shape('symbols'),
  streamMeta: shape('stream_meta'),
} as const

const rowOf = ({ table, columns }: RowShape, fields: Fields): Row =>
  columns.map(column => {
    const value = fields[column]
    if (value === undefined) throw new Error(`column ${column} of ${table} is one that the log's rows do not have`)
    return value === null ? null : `${value}`
  })

/** DECIMAL(38, 18) and DATETIME print with all their digits. */
const decimals = 18

/** A row of the database in the texts that `rowOf` makes, whatever digits the server leaves out. */
export const foundRow = ({ table, columns }: RowShape, row: Readonly<Record<string, string | number | null>>): Row => {
  const types = new Map(tableNamed(table as TableName).columns.map(({ name, type }) => [name, type]))
  return columns.map(column => {
    const value = row[column]
    if (value === undefined) throw new Error(`StarRocks gave no column ${column} of ${table}`)
    return value === null ? null : fullDigits(types.get(column) ?? '', `${value}`)
  })
}

const fullDigits = (type: string, text: string): string => {
  if (type.startsWith('decimal') && /^-?\d+(\.\d+)?$/.test(text)) {
    const [whole, fraction = ''] = text.split('.')
    return `${whole}.${fraction.padEnd(decimals, '0')}`
  }
  if (type === 'datetime' && /:\d\d(\.\d+)?$/.test(text)) {
    const [second, fraction = ''] = text.split('.')
    return `${second}.${fraction.padEnd(6, '0')}`
  }
  return text
}

const million = 1_000_000n

/** µs since 1970 as `YYYY-MM-DD HH:MM:SS.ffffff`, UTC. */
const datetime = (micros: bigint): string => {
  const fraction = ((micros % million) + million) % million
  const second = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19).replace('T', ' ')
  return `${second}.${`${fraction}`.padStart(6, '0')}`
}

/** `units / 10^digits` with 18 digits after the point. What has more than 18 is told whole, and so will differ. */
const decimal = (units: bigint, digits: number): string => {
  const shift = decimals - digits
  if (shift < 0 && units % 10n ** BigInt(-shift) !== 0n) return `${units}e-${digits}`
  const scaled = shift >= 0 ? units * 10n ** BigInt(shift) : units / 10n ** BigInt(-shift)
  const text = `${scaled < 0n ? -scaled : scaled}`.padStart(decimals + 1, '0')
  return `${scaled < 0n ? '-' : ''}${text.slice(0, -decimals)}.${text.slice(-decimals)}`
}

type KnownSymbol = {
  readonly base: AssetId
  readonly quote: AssetId
  readonly priceDigits: number
  /** pos of the first record that told of it. */
  readonly since: bigint
}

/** The rows that the log calls for in StarRocks; amounts are shown by the reference data met so far. */
export class StarRocksRows {
  readonly #decimals = new Map<AssetId, number>()
  readonly #symbols = new Map<SymbolId, KnownSymbol>()

  learn({ assets, symbols }: ReferenceData, pos: bigint): void {
    for (const { asset, decimals: digits } of assets) this.#decimals.set(asset, digits)
    for (const { symbol, base, quote, lot } of symbols) {
      // A price is quote units per lot: per whole base unit it is price · 10^base / lot, in 10^-quote.
      const priceDigits = this.#digits(quote) - this.#digits(base) + `${lot}`.length - 1
      const since = this.#symbols.get(symbol)?.since ?? pos
      this.#symbols.set(symbol, { base, quote, priceDigits, since })
    }
  }

  trade(trade: Trade, place: TablePlace): Row {
    return rowOf(starrocksRows.trades, {
      ...this.#tradeFields(trade, place),
      taker_side: trade.taker,
      buyer_id: trade.buyer,
      seller_id: trade.seller,
      buy_order_id: trade.buyOrder,
      sell_order_id: trade.sellOrder,
      buy_fee: this.#amount(trade.buyFeeAsset, trade.buyFee),
      buy_fee_asset_id: trade.buyFeeAsset,
      buy_fee_units: trade.buyFee,
      sell_fee: this.#amount(trade.sellFeeAsset, trade.sellFee),
      sell_fee_asset_id: trade.sellFeeAsset,
      sell_fee_units: trade.sellFee,
    })
  }

  userTrade(trade: Trade, side: Side, place: TablePlace): Row {
    const [user, order, fee, feeAsset] =
      side === 'Buy'
        ? [trade.buyer, trade.buyOrder, trade.buyFee, trade.buyFeeAsset]
        : [trade.seller, trade.sellOrder, trade.sellFee, trade.sellFeeAsset]
    return rowOf(starrocksRows.userTrades, {
      ...this.#tradeFields(trade, place),
      user_id: user,
      side,
      order_id: order,
      role: trade.taker === side ? 'Taker' : 'Maker',
      fee: this.#amount(feeAsset, fee),
      fee_asset_id: feeAsset,
      fee_units: fee,
    })
  }

  orderEvent(update: OrderUpdate, place: TablePlace): Row {
    return rowOf(starrocksRows.orderEvents, this.#orderFields(update, place))
  }

  order(update: OrderUpdate, place: TablePlace): Row {
    return rowOf(starrocksStates.orders, this.#orderFields(update, place))
  }

  posting(change: BalanceChange, { pos, time, index }: TablePlace): Row {
    return rowOf(starrocksRows.ledger, {
      ...this.#balanceFields(change),
      time: datetime(time),
      reason: change.reason,
      ref_id: change.ref,
      delta_available: this.#amount(change.asset, change.deltaAvailable),
      delta_frozen: this.#amount(change.asset, change.deltaFrozen),
      delta_available_units: change.deltaAvailable,
      delta_frozen_units: change.deltaFrozen,
      pos,
      idx: index,
    })
  }

  balance(change: BalanceChange, { pos, time }: Omit<TablePlace, 'index'>): Row {
    return rowOf(starrocksStates.balances, { ...this.#balanceFields(change), time: datetime(time), pos })
  }

  #tradeFields(trade: Trade, { pos, time, index }: TablePlace): Fields {
    const symbol = this.#symbols.get(trade.symbol)
    return {
      trade_id: trade.trade,
      time: datetime(time),
      symbol_id: trade.symbol,
      price: decimal(trade.price, symbol?.priceDigits ?? 0),
      quantity: this.#amount(symbol?.base, trade.quantity),
      quote_amount: this.#amount(symbol?.quote, trade.quote),
      price_units: trade.price,
      quantity_units: trade.quantity,
      quote_amount_units: trade.quote,
      pos,
      idx: index,
    }
  }

  #orderFields(update: OrderUpdate, { pos, time, index }: TablePlace): Fields {
    const known = this.#symbols.get(update.symbol)
    const symbol = known && known.since <= pos ? known : undefined
    const hasPrice = update.type === 'Limit'
    return {
      order_id: update.order,
      pos,
      idx: index,
      time: datetime(time),
      user_id: update.user,
      symbol_id: update.symbol,
      side: update.side,
      type: update.type,
      time_in_force: update.timeInForce,
      state: update.state,
      // A rejected order may be of a symbol that nobody knows: its amounts have no units to be shown in.
      price: symbol && hasPrice ? decimal(update.price, symbol.priceDigits) : null,
      quantity: symbol ? this.#amount(symbol.base, update.quantity) : null,
      filled: symbol ? this.#amount(symbol.base, update.filled) : null,
      remaining: symbol ? this.#amount(symbol.base, update.remaining) : null,
      price_units: hasPrice ? update.price : null,
      quantity_units: update.quantity,
      filled_units: update.filled,
      remaining_units: update.remaining,
      reason: update.reason,
    }
  }

  #balanceFields(change: BalanceChange): Fields {
    return {
      user_id: change.user,
      asset_id: change.asset,
      version: change.version,
      available: this.#amount(change.asset, change.available),
      frozen: this.#amount(change.asset, change.frozen),
      available_units: change.available,
      frozen_units: change.frozen,
    }
  }

  /** The rows of one record of reference data, which was learned before. */
  reference(
    { assets, symbols, house }: ReferenceData,
    pos: bigint,
  ): readonly (readonly ['assets' | 'symbols' | 'streamMeta', Row])[] {
    return [
      ...assets.map(
        ({ asset, name, decimals: digits }) =>
          [
            'assets',
            rowOf(starrocksStates.assets, {
              asset_id: asset,
              name,
              decimals: digits,
              unit: this.#amount(asset, 1n),
              pos,
            }),
          ] as const,
      ),
      ...symbols.map(each => ['symbols', this.#symbolRow(each, pos)] as const),
      ['streamMeta', rowOf(starrocksStates.streamMeta, { name: 'house', value: house, pos })],
    ]
  }

  #symbolRow(each: ReferenceData['symbols'][number], pos: bigint): Row {
    return rowOf(starrocksStates.symbols, {
      symbol_id: each.symbol,
      name: each.name,
      base_asset_id: each.base,
      quote_asset_id: each.quote,
      lot_units: each.lot,
      price_scale: each.priceScale,
      quantity_scale: each.quantityScale,
      since_pos: this.#symbols.get(each.symbol)?.since ?? pos,
      pos,
    })
  }

  #amount(asset: AssetId | undefined, units: bigint): string {
    return decimal(units, asset === undefined ? 0 : this.#digits(asset))
  }

  #digits(asset: AssetId): number {
    return this.#decimals.get(asset) ?? 0
  }
}
