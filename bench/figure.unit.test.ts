import { describe, expect, it } from 'vitest'
import { isMissed, lessIsBetter, moreIsBetter } from './figure.ts'

const compared = { name: 'x', ours: 30, reference: 40, bar: 0.7, unit: 'outputs/s', method: 'as told' }

describe('a figure', () => {
  it('has a ratio that is higher when ours is better, whichever way the unit goes', () => {
    expect(moreIsBetter(compared).ratio).toBe(0.75)
    expect(lessIsBetter(compared).ratio).toBe(1.333)
  })

  it('keeps four digits', () => {
    expect(moreIsBetter({ ...compared, ours: 12_345.678, reference: 45_678.9 })).toMatchObject({
      ours: 12_350,
      reference: 45_680,
      ratio: 0.2703,
    })
  })

  it('misses its bar below it and when there is no ratio, never without a bar', () => {
    expect(isMissed(moreIsBetter(compared))).toBe(false)
    expect(isMissed(moreIsBetter({ ...compared, bar: 0.75 }))).toBe(false)
    expect(isMissed(moreIsBetter({ ...compared, bar: 0.76 }))).toBe(true)
    expect(isMissed(moreIsBetter({ ...compared, ours: 0, reference: 0 }))).toBe(true)
    expect(isMissed(moreIsBetter({ ...compared, bar: null }))).toBe(false)
  })
})
