import type { EngineOutput } from '../../../core/events.ts'
import { decodeEngineOutput } from '../../../schemas/codec.ts'
import { allMarkets, referenceOf } from '../flow/markets.ts'
import { RandomFlow } from '../flow/random-flow.ts'
import { MatchingEngine } from '../matching-engine.ts'
import { type Produced, Producer } from '../producer.ts'

export const testStartUs = 1_760_000_000_000_000n
export const testFees = { makerBp: 10n, takerBp: 20n } as const
export const testHouse = 1_000_000_000n

/** A producer of random trading on three markets. */
export const testProducer = ({ seed = 1n, users = 12, orders = 300 } = {}): Producer => {
  const markets = allMarkets.slice(0, 3)
  const startUs = testStartUs
  const flow = new RandomFlow({ seed, users, orders, markets, house: testHouse, startUs, meanStepUs: 20_000 })
  const engine = new MatchingEngine({ fees: testFees })
  return new Producer({ engine, flow, reference: referenceOf(markets, testHouse), startUs })
}

/** Everything a producer still has to give. */
export const drain = (producer: Producer): Produced[] => {
  const all: Produced[] = []
  for (let next = producer.next(); next; next = producer.next()) all.push(next)
  return all
}

export const outputsOf = (produced: readonly Produced[]): EngineOutput[] =>
  produced.map(({ payload }) => decodeEngineOutput(payload))
