import type { BalanceChange, EngineOutput, Indexed, OrderUpdate, Trade } from '../../core/events.ts'

/** What of an output concerns one user. */
export type Share = {
  readonly user: bigint
  readonly orders: readonly Indexed<OrderUpdate>[]
  readonly trades: readonly Indexed<Trade>[]
  readonly changes: readonly Indexed<BalanceChange>[]
}

/** An output user by user, worked out by asking for each user what is theirs; apart from the code that splits it. */
export const userShares = ({ orders, trades, changes }: EngineOutput): readonly Share[] => {
  const users = new Set<bigint>([
    ...orders.map(({ user }) => user),
    ...trades.flatMap(({ buyer, seller }) => [buyer, seller]),
    ...changes.map(({ user }) => user),
  ])
  const byUser = {
    orders: indexBy(orders, ({ user }) => [user]),
    trades: indexBy(trades, ({ buyer, seller }) => (buyer === seller ? [buyer] : [buyer, seller])),
    changes: indexBy(changes, ({ user }) => [user]),
  }
  return [...users]
    .sort((a, b) => (a < b ? -1 : 1))
    .map(user => ({
      user,
      orders: byUser.orders.get(user) ?? [],
      trades: byUser.trades.get(user) ?? [],
      changes: byUser.changes.get(user) ?? [],
    }))
}

const indexBy = <T>(values: readonly T[], usersOf: (value: T) => readonly bigint[]): Map<bigint, Indexed<T>[]> => {
  const byUser = new Map<bigint, Indexed<T>[]>()
  for (const [index, value] of values.entries())
    for (const user of usersOf(value)) {
      const mine = byUser.get(user)
      if (mine) mine.push({ index, value })
      else byUser.set(user, [{ index, value }])
    }
  return byUser
}
