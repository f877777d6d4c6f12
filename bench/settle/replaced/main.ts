import { serveParent } from '../../worker.ts'
import { Exchange, exchangeSize, funds, userOf } from '../exchange.ts'
import type { StoreAddress } from '../places.ts'
import { ReplacedDesign } from './replaced-design.ts'

/** Trades settled for so long, so many of them at once. */
export type ReplacedQuestion = { readonly inFlight: number; readonly forMs: number }
export type ReplacedAnswer = { readonly perSecond: number; readonly trades: number; readonly conflicts: number }

const [, , address = '', keyspace = ''] = process.argv

// The same trades as settle's; what they cost to make is little beside a lightweight transaction.
const exchange = new Exchange({ seed: 1n })
let timeUs = BigInt(Date.now()) * 1000n
const timeOf = (): bigint => ++timeUs
for (const _ of exchange.opening(timeOf)) continue
const trades = (function* () {
  for (;;) yield* exchange.order(timeOf()).trades
})()

const design = await ReplacedDesign.open(JSON.parse(address) as StoreAddress, {
  keyspace,
  users: Array.from({ length: exchangeSize.users }, (_, rank) => userOf(rank)),
  assets: exchange.assets,
  funds,
})

serveParent({}, async ({ inFlight, forMs }: ReplacedQuestion): Promise<ReplacedAnswer> => {
  const conflictsBefore = design.conflicts
  const startMs = performance.now()
  const isOver = (): boolean => performance.now() - startMs >= forMs
  let settled = 0
  const one = async (): Promise<void> => {
    while (!isOver()) {
      await design.settle(trades.next().value, timeUs)
      // What ends later is not counted: fewer and fewer are in flight by then.
      if (!isOver()) settled++
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  return {
    perSecond: (settled * 1000) / forMs,
    trades: settled,
    conflicts: design.conflicts - conflictsBefore,
  }
})
