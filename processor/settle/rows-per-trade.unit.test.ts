import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EngineOutput, UserRecord } from '../../core/events.ts'
import { TinyExchange } from '../../core/testing/tiny-exchange.ts'
import type { BatchRows } from './batch-fold.ts'
import { FoldAlone } from './testing/fold-alone.ts'
import { UserTopic } from './testing/user-topic.ts'

/** Rows by table: what a store costs. The figures of docs/tables.md come from here. */
const countRows = (all: readonly BatchRows[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { history, cells } of all)
    for (const { cql } of [...history, ...cells].flat()) {
      const table = cql.split(' ')[2] ?? ''
      counts[table] = (counts[table] ?? 0) + 1
    }
  return counts
}
const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0)

const place = (user: number, side: 'Buy' | 'Sell', lots: number, price = 50) =>
  ({ kind: 'place', user, side, price, lots, life: 'rest' }) as const
const fund = (exchange: TinyExchange, users: number): EngineOutput[] =>
  Array.from({ length: users }, (_, at) => at + 1)
    .filter(user => user !== 9)
    .flatMap(user => [1, 2].map(asset => exchange.take({ kind: 'deposit', user, asset, amount: 1_000_000_000_000 })))

test('a trade alone between two users, with both fees, is 13 rows', () => {
  const topic = new UserTopic({ partitions: 1 })
  const exchange = new TinyExchange()
  // Everybody has traded before: the house has its cells, every history its bucket.
  const before = [...fund(exchange, 2), exchange.take(place(1, 'Sell', 20)), exchange.take(place(2, 'Buy', 20))]
  for (const output of [...before, exchange.take(place(1, 'Sell', 20))]) topic.output(output)
  const trade = exchange.take(place(2, 'Buy', 20))
  expect(trade.trades).toHaveLength(1)
  topic.output(trade)
  const records = topic.records[0] as UserRecord[]
  const fold = new FoldAlone({ partition: 0 })
  fold.take(records.filter(({ pos }) => pos < topic.pos))
  expect(countRows([fold.take(records.filter(({ pos }) => pos === topic.pos))])).toEqual({
    history: 3,
    orders: 2,
    trades: 1,
    balances: 6,
    open_orders: 1,
  })
})

test('in batches of many users, everything that the engine does comes to less than 11 rows a trade', () => {
  const [users, orders, partitions, batch] = [1000, 6_000, 12, 500]
  // A Zipf distribution of exponent 1 over the users.
  const weights = Array.from({ length: users }, (_, at) => 1 / (at + 1))
  const total = weights.reduce((a, b) => a + b, 0)
  const userAt = (part: number): number => {
    let left = part * total
    const found = weights.findIndex(weight => (left -= weight) <= 0)
    return found === 8 ? 10 : found + 1
  }
  const part = fc.noBias(fc.integer({ min: 0, max: 2 ** 30 })).map(value => value / 2 ** 30)
  const picks = fc.sample(fc.tuple(part, fc.boolean(), fc.noBias(fc.integer({ min: 0, max: 4 }))), {
    numRuns: orders,
    seed: 1,
  })
  const topic = new UserTopic({ partitions })
  const exchange = new TinyExchange()
  for (const output of fund(exchange, users)) topic.output(output)
  const funded = topic.pos
  let trades = 0
  for (const [at, [who, buys, level]] of picks.entries()) {
    const output = exchange.take(place(userAt(who), buys ? 'Buy' : 'Sell', 20, 48 + level))
    trades += output.trades.length
    topic.output(output)
    if (at % 1000 === 999) topic.barrier()
  }
  const rows: BatchRows[] = []
  for (const [partition, records] of topic.records.entries()) {
    const fold = new FoldAlone({ partition })
    fold.take(records.filter(({ pos }) => pos <= funded))
    const rest = records.filter(({ pos }) => pos > funded)
    for (let at = 0; at < rest.length; at += batch) rows.push(fold.take(rest.slice(at, at + batch)))
  }
  const perTrade = Object.entries(countRows(rows)).map(([table, count]) => [
    table,
    Math.round((10 * count) / trades) / 10,
  ])
  expect([trades, Object.fromEntries(perTrade)]).toMatchInlineSnapshot(`
    [
      2541,
      {
        "balances": 0.9,
        "history": 4.4,
        "history_buckets": 0,
        "intervals": 0,
        "open_orders": 1,
        "orders": 3.4,
        "trades": 1,
      },
    ]
  `)
  expect(sum(countRows(rows)) / trades).toBeLessThan(11)
})
