import type { EngineOutput } from '../../core/events.ts'
import { type Amount, amount, type AssetId, assetId, type OrderId, orderId, symbolId, tradeId } from '../../core/ids.ts'
import * as tiny from '../../core/testing/tiny-exchange.ts'

/** The numbers under which the tiny exchange's one market appears. */
export type Market = {
  readonly symbol: number
  readonly base: number
  readonly quote: number
  /** So many times the tiny exchange's lot, and with it every amount of the base asset. */
  readonly lots: bigint
  readonly order: (id: bigint) => bigint
  readonly trade: (id: bigint) => bigint
}

/** The same output, of that market. */
export const inMarket = (output: EngineOutput, market: Market): EngineOutput => {
  const asset = (id: AssetId): AssetId => assetId(id === tiny.base ? market.base : market.quote)
  const units = (id: AssetId, value: Amount): Amount => amount(id === tiny.base ? value * market.lots : value)
  const based = (value: Amount): Amount => units(tiny.base, value)
  const order = (id: OrderId): OrderId => orderId(market.order(id))
  const symbol = symbolId(market.symbol)
  const idOf = { Trade: market.trade, Fee: market.trade, Reserve: market.order, Release: market.order }
  return {
    ...output,
    orders: output.orders.map(each => ({
      ...{ ...each, symbol, order: order(each.order), quantity: based(each.quantity) },
      ...{ filled: based(each.filled), remaining: based(each.remaining) },
    })),
    trades: output.trades.map(each => ({
      ...{ ...each, symbol, trade: tradeId(market.trade(each.trade)), quantity: based(each.quantity) },
      ...{ buyOrder: order(each.buyOrder), sellOrder: order(each.sellOrder) },
      ...{ buyFee: units(each.buyFeeAsset, each.buyFee), buyFeeAsset: asset(each.buyFeeAsset) },
      ...{ sellFee: units(each.sellFeeAsset, each.sellFee), sellFeeAsset: asset(each.sellFeeAsset) },
    })),
    changes: output.changes.map(each => ({
      ...{ ...each, asset: asset(each.asset), deltaAvailable: units(each.asset, each.deltaAvailable) },
      deltaFrozen: units(each.asset, each.deltaFrozen),
      ref: each.reason in idOf ? idOf[each.reason as keyof typeof idOf](each.ref) : each.ref,
    })),
  }
}
