import type { Indexed, OrderUpdate, UserOutput } from '../../../core/events.ts'
import { amount, orderId, pos, price, symbolId, userId } from '../../../core/ids.ts'

/** An update of an order of user 7. */
export const orderUpdate = (
  index: number,
  id: bigint,
  state: OrderUpdate['state'],
  over: Partial<OrderUpdate> = {},
): Indexed<OrderUpdate> => ({
  index,
  value: {
    order: orderId(id),
    user: userId(7n),
    symbol: symbolId(1),
    side: 'Buy',
    type: 'Limit',
    timeInForce: 'GoodTillCancel',
    price: price(5n),
    quantity: amount(10n),
    filled: amount(0n),
    remaining: amount(10n),
    state,
    reason: '',
    ...over,
  },
})

/** A record of user 7 that only changes orders. */
export const orderOutput = (at: number, ...orders: readonly Indexed<OrderUpdate>[]): UserOutput => ({
  kind: 'UserOutput',
  n: 1n,
  src: 0n,
  pos: pos(BigInt(at)),
  time: 0n,
  user: userId(7n),
  orders,
  trades: [],
  changes: [],
})
