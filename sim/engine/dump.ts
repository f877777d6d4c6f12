import { replaceFile } from './journal/durable-files.ts'
import type { Sessions } from './journal/sessions.ts'
import { remainingOf } from './book/open-order.ts'
import type { MatchingEngine } from './matching-engine.ts'

export type DumpParts = {
  readonly stream: string
  readonly seed: bigint
  readonly engine: MatchingEngine
  readonly sessions: Sessions
  /** The last output of all, and the chain after it. */
  readonly last: bigint
  readonly chain: Buffer
}

/** What the engine holds: what anyone may check the stores against. Every integer is a string. */
export type EngineDump = {
  readonly stream: string
  readonly seed: string
  readonly outputs: string
  readonly trades: string
  readonly balances: readonly Record<'user' | 'asset' | 'available' | 'frozen' | 'version', string>[]
  readonly openOrders: readonly Record<'order' | 'user' | 'symbol' | 'side' | 'price' | 'remaining', string>[]
  /** How many of all orders stand in each state. */
  readonly orderStates: Record<string, string>
  /** In order; `seq` is the last output of that session, `chain` the chain after it. */
  readonly sessions: readonly Record<'epoch' | 'random' | 'seq' | 'chain', string>[]
  readonly chain: string
}

const dumpOf = ({ stream, seed, engine, sessions, last, chain }: DumpParts): EngineDump => ({
  stream,
  seed: `${seed}`,
  outputs: `${last}`,
  trades: `${engine.ledger.nextTrade - 1n}`,
  balances: engine.accounts.rows().map(row => ({
    user: `${row.user}`,
    asset: `${row.asset}`,
    available: `${row.available}`,
    frozen: `${row.frozen}`,
    version: `${row.version}`,
  })),
  openOrders: engine.orders.all().map(order => ({
    order: `${order.order}`,
    user: `${order.user}`,
    symbol: `${order.symbol}`,
    side: order.side,
    price: `${order.price}`,
    remaining: `${remainingOf(order)}`,
  })),
  orderStates: Object.fromEntries(
    Object.entries(engine.ledger.orderStates).map(([state, count]) => [state, `${count}`]),
  ),
  sessions: sessions.all.map((row, i) => {
    const next = sessions.all[i + 1]
    return {
      epoch: `${row.epoch}`,
      random: `${row.random}`,
      seq: `${(next ? next.first - 1n : last) - row.first + 1n}`,
      chain: next ? next.chainBefore : chain.toString('hex'),
    }
  }),
  chain: chain.toString('hex'),
})

/** Writes the dump as JSON, whole or not at all. */
export const writeDump = (path: string, parts: DumpParts): Promise<void> =>
  replaceFile(path, `${JSON.stringify(dumpOf(parts), null, 1)}\n`)
