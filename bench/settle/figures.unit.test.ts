import { describe, expect, it } from 'vitest'
import { isMissed } from '../figure.ts'
import { figuresOf, type Measured } from './figures.ts'
import type { LatencyRound } from './latency.ts'
import { memoryAlong } from './growth.ts'
import { byLabel } from './metrics.ts'
import { figuresOfGrowth } from './million-part.ts'
import type { Round } from './throughput.ts'

type Rates = Record<'settle' | 'bare' | 'repartition' | 'oneByOne' | 'many', number>
const rates: Rates = { settle: 3000, bare: 5000, repartition: 9000, oneByOne: 120, many: 1000 }

const round = (over: Partial<Rates> = {}): Round => {
  const { settle, bare, repartition, oneByOne, many } = { ...rates, ...over }
  const trades = 1000
  const drained = (perSecond: number) => ({ seconds: trades / perSecond, cpuUs: 1 })
  const replaced = (perSecond: number) => ({ perSecond, trades, conflicts: 0 })
  return {
    trades,
    repartition: drained(repartition),
    settle: { ...drained(settle), rows: 12_000, records: 3500 },
    bare: { ...drained(bare), statements: 10_000, groups: 4000 },
    oneByOne: replaced(oneByOne),
    many: replaced(many),
  }
}
const latency = (ours: number, reference: number): LatencyRound => ({
  pipeline: { p50: ours / 4, p99: ours, max: ours * 2 },
  chain: { p50: reference / 4, p99: reference, max: reference * 2 },
})
const good: Measured = {
  rounds: [round(), round({ settle: 1 }), round({ settle: 1e9 })],
  latencies: [latency(200, 50), latency(9000, 1), latency(1, 9000)],
  store: 'the store is as it is',
}
const missed = (measured: Partial<Measured>): string[] =>
  figuresOf({ ...good, ...measured })
    .filter(isMissed)
    .map(({ name }) => name)

describe('the figures of settle', () => {
  it('compare medians', () => {
    expect(figuresOf(good)[0]).toMatchObject({ ours: 3000, reference: 5000, ratio: 0.6 })
  })

  it('count rows by the fold, not by a process that has just loaded its cells', () => {
    expect(figuresOf(good).find(({ name }) => name === 'rows per trade')).toMatchObject({ ours: 10, bar: null })
  })

  it('pass at their bars and miss beyond them', () => {
    expect(missed({})).toEqual([])
    expect(missed({ rounds: [round({ bare: 5001 })] })).toEqual(['settle, beside the bare store'])
    expect(missed({ rounds: [round({ oneByOne: 120.1 })] })).toEqual(['settle, beside the replaced design one by one'])
    expect(missed({ rounds: [round({ many: 1001 })] })).toEqual(['settle, beside the replaced design 64 at once'])
    expect(missed({ rounds: [round({ repartition: 8990 })] })).toEqual(['repartition, beside settle'])
    expect(missed({ latencies: [latency(201, 50)] })).toEqual(['engine to visible in the store, p99'])
  })
})

describe('the figures of a million trades', () => {
  const memory = { maxMb: 300, atTenthMb: 180, atEndMb: 200 }
  const missed = (over: Partial<Parameters<typeof figuresOfGrowth>[0]>): string[] =>
    figuresOfGrowth({ few: 3000, many: 2400, memory, ...over })
      .filter(isMissed)
      .map(({ name }) => name)

  it('pass at their bars and miss beyond them', () => {
    expect(missed({})).toEqual([])
    expect(missed({ many: 2390 })).toEqual(['rate over 1000000 trades, beside 100000'])
    expect(missed({ memory: { ...memory, maxMb: 301 } })).toEqual(['resident memory, most'])
    expect(missed({ memory: { ...memory, atEndMb: 201 } })).toEqual(['resident memory, flat'])
  })

  it('take memory around a tenth of the records, and over the last tenth', () => {
    const samples = [0, 9, 10, 11, 50, 91, 99].map((records, at) => ({ records, mb: 100 + at }))
    expect(memoryAlong(samples, 100)).toEqual({ maxMb: 106, atTenthMb: 102, atEndMb: 105.5 })
  })
})

describe('metrics', () => {
  it('are told apart by a label', () => {
    const text =
      '# HELP a\na{partition="1",state="x"} 5\na{partition="10",state="x"} 1795659480817699\nab{partition="1"} 9\n'
    expect([...byLabel(text, 'a', 'partition')]).toEqual([
      ['1', 5],
      ['10', 1_795_659_480_817_699],
    ])
  })
})
