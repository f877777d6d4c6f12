import type { EngineOutput } from '../../../core/events.ts'
import { type TinyCommand, TinyExchange } from '../../../core/testing/tiny-exchange.ts'

/** The users of busyOutputs are numbered from here. */
const firstBusyUser = 100
const users = 40

/** Deposits for everybody, then orders and cancels of many users on one market: the same ones at each call. */
export const busyOutputs = (count: number): EngineOutput[] => {
  let state = 20_240_717
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % limit
  }
  const exchange = new TinyExchange()
  const command = (index: number): TinyCommand => {
    const user = firstBusyUser + below(users)
    if (index < users * 2)
      return { kind: 'deposit', user: firstBusyUser + (index >> 1), asset: 1 + (index & 1), amount: 10_000_000 }
    if (below(5) === 0) return { kind: 'cancel', nth: 0 }
    const side = below(2) === 0 ? 'Buy' : 'Sell'
    return {
      kind: 'place',
      user,
      side,
      price: 48 + below(5),
      lots: 1 + below(20),
      life: below(3) === 0 ? 'rest' : 'now',
    }
  }
  return Array.from({ length: count }, (_, index) => exchange.take(command(index)))
}
