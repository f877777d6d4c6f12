import { describe, expect, it } from 'vitest'
import { isMissed } from '../figure.ts'
import { figuresOf, type Measured } from './figures.ts'

const rows = (count: number, seconds: number) => ({
  rows: count,
  records: count,
  seconds,
  cpuUs: 1,
})
const roundOf = ({ loadSeconds = 10, curlSeconds = 8 }) => ({
  trades: 1000,
  load: rows(20_000, loadSeconds),
  curl: { rows: 20_000, bytes: 1, seconds: curlSeconds },
  archive: { ...rows(10_000, 2), mbPerSecond: 20 },
  cpMbPerSecond: 500,
})
const memory = { maxMb: 200, atTenthMb: 180, atEndMb: 190 }
const fresh = (ordersPerSecond: number, p99: number) => ({
  ...{ ordersPerSecond, seconds: 60, flushMs: 1000, probes: 1500 },
  ms: { p50: 900, p99, max: 2500 },
})
const good: Measured = {
  rounds: [roundOf({}), roundOf({ loadSeconds: 30 }), roundOf({})],
  memory: { load: { rows: 2, memory }, archive: { rows: 2, memory } },
  freshness: { bar: fresh(250, 1900), busy: fresh(500, 2400) },
}
const missed = (measured: Measured): readonly string[] =>
  figuresOf(measured)
    .filter(isMissed)
    .map(({ name }) => name)

describe("the sink's figures", () => {
  it('compare medians', () => {
    const [load, archive] = figuresOf(good)
    expect(load).toMatchObject({ ours: 2000, reference: 2500, ratio: 0.8 })
    expect(archive).toMatchObject({ ours: 20, reference: 500, ratio: 0.04, bar: null })
    expect(missed(good)).toEqual([])
  })

  it('miss what is missed', () => {
    expect(missed({ ...good, rounds: [roundOf({ loadSeconds: 12 })] })).toEqual([
      'load, topic to visible in StarRocks, beside curl',
    ])
    const grown = { rows: 2, memory: { maxMb: 301, atTenthMb: 180, atEndMb: 210 } }
    expect(missed({ ...good, memory: { ...good.memory, archive: grown } })).toEqual([
      'resident memory of archive, most',
      'resident memory of archive, flat',
    ])
    const late = { ...good.freshness, bar: fresh(250, 2001) }
    expect(missed({ ...good, freshness: late })).toEqual(['log to visible in StarRocks at 250 orders/s, p99'])
  })
})
