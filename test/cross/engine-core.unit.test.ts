import { describe, expect, it } from 'vitest'
import { checkOutput } from '../../core/check-output.ts'
import type { LogRecord, OrderUpdate, ReferenceData } from '../../core/events.ts'
import { type Cell, emptyCell, foldChanges } from '../../core/fold.ts'
import { assetId, type OrderId, type Pos, pos, userId } from '../../core/ids.ts'
import type { LedgerBalance } from '../../core/oracle/naive-balances.ts'
import { NaiveLedger } from '../../core/oracle/naive-ledger.ts'
import { followOrder } from '../../core/order-lifecycle.ts'
import { extendReference } from '../../core/reference.ts'
import { splitOutput } from '../../core/split.ts'
import { zeroChain } from '../../schemas/chain.ts'
import { decodeEngineOutput } from '../../schemas/codec.ts'
import { allMarkets, referenceOf } from '../../sim/engine/flow/markets.ts'
import { RandomFlow } from '../../sim/engine/flow/random-flow.ts'
import { MatchingEngine } from '../../sim/engine/matching-engine.ts'
import { Producer } from '../../sim/engine/producer.ts'

const house = userId(1_000_000n)
const startUs = 1_700_000_000_000_000n
const markets = allMarkets.slice(0, 3)

/** What an engine emits for a seed, as its bridge would decode it. */
function* outputsOf(seed: bigint): Generator<ReturnType<typeof decodeEngineOutput>> {
  const flow = new RandomFlow({ seed, users: 50, orders: 3000, markets, house, startUs, meanStepUs: 1000 })
  const engine = new MatchingEngine({ fees: { makerBp: 10n, takerBp: 20n } })
  const producer = new Producer({ engine, flow, reference: referenceOf(markets, house), startUs })
  for (let output = producer.next(); output; output = producer.next()) yield decodeEngineOutput(output.payload)
}

const at = { epoch: 1n, random: 1n, seq: 1n, chain: zeroChain }
const recordOf = (at_: Pos, output: ReturnType<typeof decodeEngineOutput>): LogRecord => ({
  kind: output.reference ? 'Reference' : 'Output',
  pos: at_,
  at,
  output,
})

describe.for([1n, 2n, 3n])('an engine that was written by itself, seed %s', seed => {
  it('passes every check, and its books equal the fold and the naive ledger', () => {
    const ledger = new NaiveLedger()
    const orders = new Map<OrderId, OrderUpdate>()
    const cells = new Map<string, Cell>()
    const problems: unknown[] = []
    let reference: ReferenceData | null = null
    let place = 0n
    for (const output of outputsOf(seed)) {
      const here = pos(++place)
      problems.push(checkOutput(output))
      if (output.reference) {
        const extended = extendReference(reference, output.reference)
        if (extended.kind === 'extended') reference = extended.reference
        else problems.push(extended.refusal)
      }
      for (const update of output.orders) {
        problems.push(followOrder(orders.get(update.order), update))
        orders.set(update.order, update)
      }
      for (const share of splitOutput(output)) {
        const folded = foldChanges(asset => cells.get(`${share.user}/${asset}`) ?? emptyCell, { ...share, pos: here })
        if (folded.kind === 'refused') problems.push(folded.refusal)
        else for (const [asset, cell] of folded.cells) cells.set(`${share.user}/${asset}`, cell)
      }
      ledger.take(recordOf(here, output))
    }
    expect(problems.filter(problem => problem !== null)).toEqual([])
    expect(ledger.problems()).toEqual([])
    expect(place).toBeGreaterThan(3000n)
    const books = (all: Iterable<readonly [string, LedgerBalance]>): ReadonlyMap<string, string> =>
      new Map([...all].map(([key, cell]) => [key, `${cell.available} + ${cell.frozen}, version ${cell.version}`]))
    const oracle = books([...ledger.balances()].map(balance => [`${balance.user}/${balance.asset}`, balance]))
    expect(books(cells)).toEqual(oracle)
    expect(cells.get(`${house}/${assetId(1)}`)?.available).toBeGreaterThan(0n)
  })
})
