import { describe, expect, it } from 'vitest'
import { isMissed } from '../figure.ts'
import { figuresOf, type Measured } from './figures.ts'
import { memoryUse } from '../process-stats.ts'

const burst = (perSecond: number) => ({ perSecond, count: 1, cpuUsPerOutput: 1e6 / perSecond })
const latency = (p99: number) => ({ p50: p99 / 4, p99, max: p99 * 2 })
const good: Measured = {
  bridge: [70_000, 1000, 80_000].map(burst),
  port: [90_000, 100_000, 5_000_000].map(burst),
  perfTool: [140_000, 100_000, 1],
  latencyPerSecond: 17_500,
  bridgeLatencies: [29, 400, 30].map(latency),
  portLatencies: [10, 9, 11].map(latency),
  memory: { maxMb: 250, firstThirdMb: 220, lastThirdMb: 240 },
}
const missed = (measured: Partial<Measured>): string[] =>
  figuresOf({ ...good, ...measured })
    .filter(isMissed)
    .map(({ name }) => name)

describe('the figures of the bridge', () => {
  it('compare medians', () => {
    const [rate, perf] = figuresOf(good)
    expect(rate).toMatchObject({ ours: 70_000, reference: 100_000, ratio: 0.7 })
    expect(perf).toMatchObject({ reference: 100_000, bar: null })
  })

  it('pass at their bars and miss beyond them', () => {
    expect(missed({})).toEqual([])
    expect(missed({ bridge: [69_900].map(burst) })).toEqual(['outputs acknowledged, beside our Kafka port'])
    expect(missed({ bridgeLatencies: [30.1].map(latency) })).toEqual(['ZeroMQ to ACK, p99'])
    expect(missed({ memory: { ...good.memory, maxMb: 251 } })).toEqual(['resident memory, most'])
    expect(missed({ memory: { ...good.memory, lastThirdMb: 245 } })).toEqual(['resident memory, flat'])
  })

  it('take memory by thirds', () => {
    expect(memoryUse([100, 110, 400, 120, 130, 140])).toEqual({ maxMb: 400, firstThirdMb: 105, lastThirdMb: 135 })
  })
})
