import { describe, expect, it } from 'vitest'
import { checkOutput } from '../../core/check-output.ts'
import { version } from '../../core/ids.ts'
import { Random } from '../../sim/engine/flow/random.ts'
import { Exchange, house, userOf } from './exchange.ts'
import { FoldAlone } from '../../processor/settle/testing/fold-alone.ts'
import { UserTopic } from '../../processor/settle/testing/user-topic.ts'
import { Zipf } from './zipf.ts'

const partitions = 3
const users = 50
let clockUs = 1_764_000_000_000_000n
const timeOf = (): bigint => (clockUs += 10n)

const made = (orders: number) => {
  const exchange = new Exchange({ seed: 7n, users })
  const outputs = [...exchange.opening(timeOf)]
  for (let left = orders; left > 0; left--) outputs.push(exchange.order(timeOf()))
  return { exchange, outputs }
}

describe('the exchange of the benchmark', () => {
  it('makes outputs that pass every check, two trades for three orders', () => {
    const { exchange, outputs } = made(3000)
    expect(outputs.map(checkOutput).filter(refusal => refusal !== null)).toEqual([])
    expect(exchange.trades / 3000).toBeCloseTo(2 / 3, 1)
    const trades = outputs.flatMap(output => output.trades)
    expect(trades).toHaveLength(exchange.trades)
    expect(trades.every(({ buyFee, sellFee, buyer, seller }) => buyFee > 0n && sellFee > 0n && buyer !== seller)).toBe(
      true,
    )
  })

  it('is the same from the same seed', () => {
    clockUs = 0n
    const { outputs } = made(500)
    clockUs = 0n
    expect(made(500).outputs).toEqual(outputs)
  })

  it("folds to the engine's own books, nobody parked", () => {
    const { exchange, outputs } = made(2000)
    const topic = new UserTopic({ partitions })
    const [opening, ...rest] = outputs
    if (opening?.reference) topic.reference(opening.reference)
    for (const output of rest) topic.output(output)
    topic.barrier()
    const folded = topic.records.map((records, partition) => {
      const fold = new FoldAlone({ partition })
      for (let from = 0; from < records.length; from += 100) fold.take(records.slice(from, from + 100))
      return fold
    })
    for (const user of [house, userOf(0), userOf(1), userOf(users - 1)])
      for (const asset of exchange.assets) {
        const { available, frozen, version } = exchange.account(user, asset)
        const cell = folded.map(fold => fold.cell(user, asset)).find(found => found !== undefined)
        expect(cell).toMatchObject({ available, frozen, version })
      }
  })

  it('refuses to go on with a user whose balance does not follow', () => {
    const topic = new UserTopic({ partitions: 1 })
    for (const output of made(0).outputs.slice(2, 3))
      topic.output({ ...output, changes: output.changes.map(change => ({ ...change, version: version(5n) })) })
    expect(() => new FoldAlone({ partition: 0 }).take(topic.records[0] ?? [])).toThrow('does not follow')
  })
})

describe('Zipf', () => {
  it('draws each rank as often as its weight', () => {
    const random = new Random({ seed: 3n, step: 0 })
    const zipf = new Zipf({ count: 4, exponent: 1 })
    const draws = Array.from({ length: 50_000 }, () => zipf.draw(random))
    const sum = 1 + 1 / 2 + 1 / 3 + 1 / 4
    for (const rank of [0, 1, 2, 3]) {
      const share = draws.filter(drawn => drawn === rank).length / draws.length
      expect(share).toBeCloseTo(1 / (rank + 1) / sum, 1.5)
    }
  })
})
