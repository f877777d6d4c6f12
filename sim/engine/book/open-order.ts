import type { OrderState, OrderUpdate, Side } from '../../../core/events.ts'
import { amount, orderId, price, symbolId, userId } from '../../../core/ids.ts'
import type { PlaceOrder } from '../command.ts'

/** An order while the engine works on it or keeps it in a book. */
export type OpenOrder = {
  readonly order: bigint
  readonly user: bigint
  readonly symbol: number
  readonly side: Side
  readonly type: PlaceOrder['type']
  readonly timeInForce: PlaceOrder['timeInForce']
  readonly price: bigint
  /** Virtual µs; 0 for never. */
  readonly expiresAtUs: bigint
  /** The submitter's own number for it; 0 for none. */
  readonly client: bigint
  quantity: bigint
  filled: bigint
  state: OrderState
}

export const newOrder = (order: bigint, placed: PlaceOrder): OpenOrder => ({
  order,
  user: placed.user,
  symbol: placed.symbol,
  side: placed.side,
  type: placed.type,
  timeInForce: placed.timeInForce,
  price: placed.price,
  expiresAtUs: placed.expiresAtUs,
  client: placed.client,
  quantity: placed.quantity,
  filled: 0n,
  state: 'New',
})

export const remainingOf = (order: OpenOrder): bigint => order.quantity - order.filled

const isOpen = (state: OrderState): boolean => state === 'New' || state === 'PartiallyFilled'

/** The order as it stands now, as the output shows it. */
export const updateOf = (order: OpenOrder, reason: string): OrderUpdate => ({
  order: orderId(order.order),
  user: userId(order.user),
  symbol: symbolId(order.symbol),
  side: order.side,
  type: order.type,
  timeInForce: order.timeInForce,
  price: price(order.price),
  quantity: amount(order.quantity),
  filled: amount(order.filled),
  remaining: amount(isOpen(order.state) ? remainingOf(order) : 0n),
  state: order.state,
  reason,
})
