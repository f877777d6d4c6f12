import type { OrderState, OrderType, Side, TimeInForce } from '../../core/events.ts'
import type { Amount, OrderId, Pos, Price, SymbolId, UserId } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { type OpenOrder, OpenOrders } from './open-orders.ts'

/** A user's open orders as a quorum of the store has them. `pos`: of the user's first record to come. */
export const readOpenOrders = async (
  cql: CqlPort,
  { user, pos: next }: { readonly user: UserId; readonly pos: Pos },
  signal: AbortSignal,
): Promise<OpenOrders> => {
  const rows = await cql.query('SELECT slot, orders FROM open_orders WHERE user_id = ?', [user], signal)
  const slots = rows.map(row => {
    // An empty list within a tuple comes back as null.
    const [orders, pos] = row['orders'] as unknown as readonly [readonly StoredOrder[] | null, Pos]
    return [row['slot'] as number, { orders: (orders ?? []).map(orderOf), pos }] as const
  })
  return new OpenOrders(user, { slots: new Map(slots), next })
}

/** The type open_order of the tables. */
type StoredOrder = {
  readonly order_id: OrderId
  readonly pos: Pos
  readonly time: bigint
  readonly symbol: SymbolId
  readonly side: Side
  readonly order_type: OrderType
  readonly time_in_force: TimeInForce
  readonly price: Price
  readonly quantity: Amount
  readonly filled: Amount
  readonly remaining: Amount
  readonly state: OrderState
}

const orderOf = ({ order_id, order_type, time_in_force, ...rest }: StoredOrder): OpenOrder => ({
  ...rest,
  order: order_id,
  type: order_type,
  timeInForce: time_in_force,
})
