import { describe, expect, it } from 'vitest'
import { SteadyRate } from './runs.ts'
import { Schedule } from './schedule.ts'

describe('a steady rate', () => {
  const span = { startMs: 1000, warmUpMs: 100, measureMs: 1000 }

  it('counts from the first step to the last within the span', () => {
    const rate = new SteadyRate(span)
    for (const [done, ms] of [
      [50, 1050],
      [90, 1100],
      [120, 1500],
      [290, 2100],
      [9000, 2101],
    ] as const)
      rate.reached(done, ms)
    expect(rate.perSecond).toBe(200)
  })

  it('says nothing when there were no two steps', () => {
    const rate = new SteadyRate(span)
    rate.reached(10, 1050)
    rate.reached(20, 1500)
    rate.reached(30, 9000)
    expect(() => rate.perSecond).toThrow(RangeError)
  })
})

describe('a schedule', () => {
  const at10 = (): Schedule => new Schedule({ startMs: 1000, perSecond: 10, count: 5 })

  it('tells what is due: the first at the start, then one each period, no more than there are', () => {
    const schedule = at10()
    expect([999, 1000, 1099, 1100, 1350, 9000].map(ms => schedule.due(ms))).toEqual([0, 1, 1, 2, 4, 5])
  })

  it('counts the wait from the meant time, once, without the warm-up', () => {
    const schedule = at10()
    schedule.done(1, 1500)
    schedule.done(4, 1500)
    expect(schedule.isOver).toBe(false)
    schedule.done(5, 1500)
    schedule.done(5, 9000)
    expect(schedule.isOver).toBe(true)
    expect(schedule.quantiles(1)).toEqual({ p50: 200, p99: 400, max: 400 })
    expect(schedule.quantiles(0).max).toBe(500)
  })
})
