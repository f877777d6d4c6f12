import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EngineOutput, Indexed, UserShare } from './events.ts'
import { userId } from './ids.ts'
import { splitOutput } from './split.ts'
import { history } from './testing/history.ts'
import { TinyExchange } from './testing/tiny-exchange.ts'

const together = <T>(shares: readonly UserShare[], listOf: (share: UserShare) => readonly Indexed<T>[]): T[] => {
  const byIndex = new Map(shares.flatMap(share => listOf(share).map(({ index, value }) => [index, value] as const)))
  return [...byIndex].sort(([a], [b]) => a - b).map(([, value]) => value)
}

test('the shares put together are the output, each part with its own users, users ascending', () => {
  fc.assert(
    fc.property(history, outputs => {
      for (const output of outputs) {
        const shares = splitOutput(output)
        expect(together(shares, share => share.orders)).toEqual(output.orders)
        expect(together(shares, share => share.trades)).toEqual(output.trades)
        expect(together(shares, share => share.changes)).toEqual(output.changes)
        shares.forEach((share, i) => expect(i === 0 || share.user > (shares[i - 1] as UserShare).user).toBe(true))
        for (const { user, orders, trades, changes } of shares) {
          for (const { value } of [...orders, ...changes]) expect(value.user).toBe(user)
          for (const { value } of trades) expect([value.buyer, value.seller]).toContain(user)
          expect(orders.length + trades.length + changes.length).toBeGreaterThan(0)
        }
        const copies = shares.reduce((sum, share) => sum + share.trades.length, 0)
        expect(copies).toBe(2 * output.trades.length)
      }
    }),
  )
})

const traded = (): EngineOutput => {
  const exchange = new TinyExchange()
  exchange.take({ kind: 'deposit', user: 1, asset: 1, amount: 1000 })
  exchange.take({ kind: 'deposit', user: 2, asset: 2, amount: 100_000 })
  exchange.take({ kind: 'place', user: 1, side: 'Sell', price: 50, lots: 30, life: 'rest' })
  return exchange.take({ kind: 'place', user: 2, side: 'Buy', price: 52, lots: 20, life: 'rest' })
}

test('a trade of one user with itself stands once in its share', () => {
  const output = traded()
  const trades = output.trades.map(trade => ({ ...trade, seller: trade.buyer }))
  expect(splitOutput({ ...output, trades }).flatMap(share => share.trades)).toHaveLength(1)
})

test('users ascend as numbers, beyond what a double tells apart', () => {
  const output = traded()
  const users = [2n ** 53n + 1n, 10n, 2n ** 53n, 9n, -1n]
  const changes = users.map(user => ({ ...(output.changes[0] as EngineOutput['changes'][0]), user: userId(user) }))
  const shares = splitOutput({ ...output, orders: [], trades: [], changes })
  expect(shares.map(share => share.user)).toEqual([-1n, 9n, 10n, 2n ** 53n, 2n ** 53n + 1n])
  expect(shares.map(share => share.changes[0]?.index)).toEqual([4, 3, 1, 2, 0])
})

test('what concerns nobody has no shares', () => {
  expect(splitOutput({ time: 1n, reference: null, orders: [], trades: [], changes: [] })).toEqual([])
})
