import type { BalanceChange } from './events.ts'
import type { AssetId, OrderId, TradeId, UserId } from './ids.ts'

/** Why an output can't be what an engine did. `message` says all of it in words. */
export type OutputRefusal = { readonly message: string } & (
  | { readonly kind: 'ReferenceWithLists' }
  | { readonly kind: 'BadOrder'; readonly order: OrderId }
  | { readonly kind: 'BadTrade' | 'TradeDoubled'; readonly trade: TradeId }
  /** A trade's order has no update in the output, or one of another user, symbol or side. */
  | { readonly kind: 'OrderMissing'; readonly trade: TradeId; readonly order: OrderId }
  /** An order's filled amount is not what its trades say. */
  | { readonly kind: 'FilledUnequal'; readonly order: OrderId; readonly filled: bigint; readonly traded: bigint }
  /** A change names no trade of the output, or a user who is no party of it. */
  | { readonly kind: 'StrayChange'; readonly index: number; readonly change: BalanceChange }
  /** Buyer's and seller's changes are not the trade. */
  | { readonly kind: 'SidesUnequal'; readonly trade: TradeId }
  | { readonly kind: 'SeveralHouses'; readonly users: readonly [UserId, UserId] }
  | { readonly kind: 'FeesUnequal'; readonly asset: AssetId; readonly paid: bigint; readonly received: bigint }
  /** A Reserve or Release that does more than move money between available and frozen. */
  | { readonly kind: 'NotMoved'; readonly index: number; readonly change: BalanceChange }
  /** Changes without an external reason do not sum to zero. */
  | { readonly kind: 'NotZero'; readonly asset: AssetId; readonly sum: bigint }
)
