import {
  assetOf,
  cutTime,
  day,
  flowsOf,
  groups,
  hour,
  lastOf,
  marketOf,
  minute,
  type NaiveWorld,
  sidesOf,
  sum,
  whole,
} from './naive-world.ts'

type NaiveRow = Readonly<Record<string, string | bigint>>
export type NaiveViews = ReadonlyMap<string, readonly NaiveRow[]>

/** Every row of every materialized view, with all of its columns, made by plain loops from what the engine said. */
export const naiveViews = (world: NaiveWorld): NaiveViews => {
  const { trades } = world
  const sides = sidesOf(world)
  const dayOf = ({ time }: { readonly time: bigint }): string => cutTime(time, day)

  const volumes = (on: typeof trades) => {
    const { inBase, inQuote } = marketOf(world, lastOf(on).symbol)
    return {
      volume: inBase(sum(on, each => each.quantity)),
      quote_volume: inQuote(sum(on, each => each.quote)),
      trade_count: BigInt(on.length),
    }
  }
  const tradesBy = (unit: bigint) =>
    groups(trades, each => `${each.symbol}/${cutTime(each.time, unit)}`).map(([, on]) => ({
      on,
      key: { symbol_id: BigInt(lastOf(on).symbol), day: dayOf(lastOf(on)) },
      time: cutTime(lastOf(on).time, unit),
    }))
  /** The trades stand in the engine's order. */
  const prices = (on: typeof trades) => {
    const { priced } = marketOf(world, lastOf(on).symbol)
    const all = on.map(each => each.price)
    const rising = all.toSorted((a, b) => Number(a - b))
    return {
      open: priced(all[0] ?? lastOf(all)),
      high: priced(lastOf(rising)),
      low: priced(rising[0] ?? lastOf(all)),
      close: priced(lastOf(all)),
    }
  }
  const candles = (unit: bigint): NaiveRow[] =>
    tradesBy(unit).map(({ on, key, time }) => ({ ...key, time, ...prices(on), ...volumes(on) }))

  const fees = groups(sides, ({ trade, feeAsset }) => `${trade.symbol}/${dayOf(trade)}/${feeAsset}`).map(([, on]) => {
    const { trade, feeAsset } = lastOf(on)
    const paid = sum(on, each => each.fee)
    return {
      ...{ symbol_id: BigInt(trade.symbol), day: dayOf(trade), fee_asset_id: BigInt(feeAsset), fees_units: paid },
      fees: whole(paid, assetOf(world, feeAsset).decimals),
    }
  })

  const usersDays = groups(sides, ({ user, trade }) => `${user}/${trade.symbol}/${dayOf(trade)}`).map(([, mine]) => {
    const { user, trade } = lastOf(mine)
    const flows = flowsOf(mine, marketOf(world, trade.symbol))
    return {
      ...{ user_id: user, symbol_id: BigInt(trade.symbol), day: dayOf(trade), trade_count: BigInt(mine.length) },
      ...{ bought_units: flows.bought, sold_units: flows.sold },
      ...{ paid_units: flows.paid, received_units: flows.received },
      ...{ base_fee_units: flows.baseFees, quote_fee_units: flows.quoteFees },
      other_fee_count: BigInt(flows.otherFees),
    }
  })

  const results = groups(sides, ({ user, trade }) => `${user}/${trade.symbol}`).map(([, mine]) => {
    const { user, trade } = lastOf(mine)
    const market = marketOf(world, trade.symbol)
    const { bought, sold, paid, received, baseFees, quoteFees, otherFees } = flowsOf(mine, market)
    const { price } = lastOf(trades.filter(({ symbol }) => symbol === trade.symbol))
    const position = bought - sold - baseFees
    const value = (position * price) / market.lot
    const result = received - paid - quoteFees + value
    return {
      ...{ user_id: user, symbol_id: BigInt(trade.symbol), trade_count: BigInt(mine.length) },
      ...{ received: market.inQuote(received), paid: market.inQuote(paid), quote_fees: market.inQuote(quoteFees) },
      ...{ base_fees: market.inBase(baseFees), position: market.inBase(position), position_units: position },
      ...{ last_price: market.priced(price), position_value: market.inQuote(value) },
      ...{ pnl: market.inQuote(result), pnl_units: result, other_fee_count: BigInt(otherFees) },
    }
  })

  return new Map<string, readonly NaiveRow[]>([
    ['candles_1m', candles(minute)],
    ['candles_1h', candles(hour)],
    [
      'candles_1d',
      tradesBy(day).map(({ on, key }) => ({ ...key, ...prices(on), close_units: lastOf(on).price, ...volumes(on) })),
    ],
    ['daily_volume', tradesBy(day).map(({ on, key }) => ({ ...key, ...volumes(on) }))],
    ['daily_fees', fees],
    ['user_daily', usersDays],
    ['user_pnl', results],
  ])
}
