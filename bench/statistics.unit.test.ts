import { describe, expect, it } from 'vitest'
import { mean, median, quantilesOf } from './statistics.ts'

describe('statistics', () => {
  it('takes the middle value, by size and not by text', () => {
    expect(median([100, 9, 20])).toBe(20)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
  })

  it('takes quantiles by nearest rank', () => {
    const values = Float64Array.from({ length: 200 }, (_, i) => 200 - i)
    expect(quantilesOf(values)).toEqual({ p50: 100, p99: 198, max: 200 })
    expect(quantilesOf(Float64Array.of(5))).toEqual({ p50: 5, p99: 5, max: 5 })
  })

  it('refuses to say anything of nothing', () => {
    expect(() => median([])).toThrow(RangeError)
    expect(() => mean([])).toThrow(RangeError)
    expect(() => quantilesOf(new Float64Array())).toThrow(RangeError)
  })
})
