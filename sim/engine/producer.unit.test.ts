import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import { allMarkets, referenceOf } from './flow/markets.ts'
import { RandomFlow } from './flow/random-flow.ts'
import { MatchingEngine } from './matching-engine.ts'
import { type Produced, Producer } from './producer.ts'
import { takeSnapshot } from './snapshot.ts'
import { drain, outputsOf, testFees, testHouse, testProducer, testStartUs } from './testing/test-flow.ts'

const seeds = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const payloads = (produced: readonly Produced[]): readonly string[] =>
  produced.map(({ payload }) => payload.toString('hex'))
const take = (producer: Producer, outputs: number): Produced[] => {
  const all: Produced[] = []
  for (let next = producer.next(); next; next = all.length < outputs ? producer.next() : null) all.push(next)
  return all
}

describe('a producer', () => {
  it('begins with the reference data and chains every output', () => {
    const produced = drain(testProducer())
    const [first] = outputsOf(produced)
    expect(first?.reference?.symbols.map(({ name }) => name)).toEqual(['BTC-USDT', 'ETH-USDT', 'ETH-BTC'])
    let chain = zeroChain
    let index = 0n
    for (const output of produced) {
      chain = nextChain(chain, output.payload)
      expect([output.index, output.chain]).toEqual([++index, chain])
    }
  })

  it('never lets time go back', () => {
    const times = outputsOf(drain(testProducer())).map(({ time }) => time)
    expect(times).toEqual([...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
    expect(times[0]).toBe(testStartUs)
  })

  it('makes the same bytes of the same seed, others of another', () =>
    fc.assert(
      fc.property(seeds, seed => {
        const once = payloads(drain(testProducer({ seed })))
        expect(payloads(drain(testProducer({ seed })))).toEqual(once)
        expect(payloads(drain(testProducer({ seed: seed ^ 1n })))).not.toEqual(once)
      }),
      { numRuns: 10 },
    ))

  it('goes on after a restart as if there had been none, from any snapshot and any command after it', () =>
    fc.assert(
      fc.property(seeds, fc.nat(300), fc.nat(100), (seed, before, after) => {
        const uninterrupted = drain(testProducer({ seed }))
        const first = testProducer({ seed })
        const published = take(first, 1 + before)
        const snapshot = first.snapshot()
        const redone = take(first, 1 + after)

        const second = testProducer({ seed })
        second.restore(snapshot)
        for (const record of redone) second.redo(record)
        expect(takeSnapshot(second.engine)).toBe(takeSnapshot(first.engine))
        const rest = drain(second)
        expect(payloads([...published, ...redone, ...rest])).toEqual(payloads(uninterrupted))
      }),
      { numRuns: 25 },
    ))

  it('takes more orders after a restart with a higher number of them', () => {
    const more = drain(testProducer({ orders: 300 }))
    const first = testProducer({ orders: 100 })
    const some = drain(first)
    const second = testProducer({ orders: 300 })
    second.restore(first.snapshot())
    expect(payloads([...some, ...drain(second)])).toEqual(payloads(more))
  })

  it('refuses a journal that another engine wrote', () => {
    const [reference, deposit] = drain(testProducer({ seed: 1n }))
    const [, other] = drain(testProducer({ seed: 2n }))
    if (!reference || !deposit || !other) throw new Error('too few outputs')
    const producer = testProducer()
    producer.redo(reference)
    expect(() => producer.redo({ ...deposit, payload: other.payload })).toThrow('output 2 of the journal is not')
  })

  it('repeats the reference data only when it changed, which may add but not alter', () => {
    const first = testProducer({ orders: 50 })
    drain(first)
    const with4 = producerOn(4)
    with4.restore(first.snapshot())
    expect(with4.referenceProblems()).toEqual([])
    const [grown, ...rest] = outputsOf(drain(with4))
    expect(grown?.reference?.symbols).toHaveLength(4)
    expect(rest.every(({ reference }) => reference === null)).toBe(true)

    const with2 = producerOn(1)
    with2.restore(first.snapshot())
    expect(with2.referenceProblems().join()).toContain('ETH-USDT was published before')
  })
})

const producerOn = (symbols: number): Producer => {
  const markets = allMarkets.slice(0, symbols)
  const flow = new RandomFlow({
    ...{ seed: 1n, users: 12, orders: 100, markets, house: testHouse },
    ...{ startUs: testStartUs, meanStepUs: 20_000 },
  })
  const engine = new MatchingEngine({ fees: testFees })
  return new Producer({ engine, flow, reference: referenceOf(markets, testHouse), startUs: testStartUs })
}
