import type { OrderType, ReferenceData, Side, TimeInForce } from '../../core/events.ts'

export type PlaceOrder = {
  readonly user: bigint
  readonly symbol: number
  readonly side: Side
  readonly type: OrderType
  readonly timeInForce: TimeInForce
  /** Quote smallest units per lot; 0 for a market order. */
  readonly price: bigint
  /** Base smallest units. */
  readonly quantity: bigint
  /** Virtual µs at which a resting order expires; 0 for never. */
  readonly expiresAtUs: bigint
  /** The submitter's own number for it; 0 for none. */
  readonly client: bigint
}

type Transfer = { readonly user: bigint; readonly asset: number; readonly amount: bigint }

/** An input of the engine at a moment of its virtual clock (int64 µs). Each gives one output or is refused. */
export type EngineCommand = { readonly timeUs: bigint } & (
  | { readonly kind: 'Reference'; readonly reference: ReferenceData }
  | ({ readonly kind: 'Deposit' } & Transfer)
  | ({ readonly kind: 'Withdraw' } & Transfer)
  | ({ readonly kind: 'Place' } & PlaceOrder)
  | { readonly kind: 'Cancel'; readonly user: bigint; readonly order: bigint }
  | { readonly kind: 'Reduce'; readonly user: bigint; readonly order: bigint; readonly by: bigint }
  /** The engine's own: the time of that order has come. */
  | { readonly kind: 'Expire'; readonly order: bigint }
)
