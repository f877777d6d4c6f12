import type { BalanceChange, EngineOutput, Indexed, OrderUpdate, Trade, UserShare } from './events.ts'
import type { UserId } from './ids.ts'

type OpenShare = {
  readonly user: UserId
  readonly orders: Indexed<OrderUpdate>[]
  readonly trades: Indexed<Trade>[]
  readonly changes: Indexed<BalanceChange>[]
}

/**
 * An output, user by user, ascending numerically. A trade stands whole in both users' shares (once when they are one
 * user); an order or change in its user's. `index` is the place in the output's own list. An output that concerns
 * nobody (reference data, an input without effect) gives no share.
 */
export const splitOutput = (output: EngineOutput): UserShare[] => {
  const shares = new Map<UserId, OpenShare>()
  const shareOf = (user: UserId): OpenShare => {
    const found = shares.get(user)
    if (found) return found
    const share: OpenShare = { user, orders: [], trades: [], changes: [] }
    shares.set(user, share)
    return share
  }
  output.orders.forEach((value, index) => shareOf(value.user).orders.push({ index, value }))
  output.trades.forEach((value, index) => {
    shareOf(value.buyer).trades.push({ index, value })
    if (value.seller !== value.buyer) shareOf(value.seller).trades.push({ index, value })
  })
  output.changes.forEach((value, index) => shareOf(value.user).changes.push({ index, value }))
  return [...shares.values()].sort((a, b) => (a.user < b.user ? -1 : 1))
}
