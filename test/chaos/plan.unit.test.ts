import { expect, it } from 'vitest'
import { bridgeMenu } from './bridge/faults.ts'
import { drawPlan, type MenuItem } from './plan.ts'

const planOf = (seed: bigint) => drawPlan({ seed, durationMs: 600_000, meanGapMs: 550, menu: bridgeMenu })

it('follows from the seed alone', () => {
  expect(planOf(7n)).toEqual(planOf(7n))
  expect(planOf(7n)).not.toEqual(planOf(8n))
})

it.each([1n, 2n, 3n, 4n, 5n])('holds 60 faults a minute and more, all within the run, seed %s', seed => {
  const plan = planOf(seed)
  expect(plan.length).toBeGreaterThan(66 * 10)
  expect(plan.at(-1)?.atMs).toBeLessThan(600_000)
  expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
})

it('has every kind in ten minutes', () => {
  expect(new Set(planOf(1n).map(({ fault }) => fault.kind))).toEqual(
    new Set([
      ...['bridge-kill', 'bridge-stop', 'bridge-freeze', 'bridge-extra', 'engine-kill', 'engine-stop', 'engine-freeze'],
      ...['broker-kill', 'broker-freeze', 'ack-audit', 'cut'],
    ]),
  )
})

it('leaves alone what is to be seen by itself', () => {
  const menu: readonly MenuItem<string>[] = [
    { weight: 10, spacingMs: 5000, aloneMs: 2000, draw: () => 'alone' },
    { weight: 10, spacingMs: 0, standsInTheWay: true, draw: () => 'in the way' },
    { weight: 10, spacingMs: 0, draw: () => 'beside' },
  ]
  const plan = drawPlan({ seed: 1n, durationMs: 600_000, meanGapMs: 100, menu })
  const alone = plan.filter(({ fault }) => fault === 'alone')
  expect(alone.length).toBeGreaterThan(50)
  const meanwhile = alone.flatMap(({ atMs: fromMs }) =>
    plan.filter(({ atMs }) => atMs > fromMs && atMs < fromMs + 2000).map(({ fault }) => fault),
  )
  expect(new Set(meanwhile)).toEqual(new Set(['beside']))
  expect(plan.some(({ fault }) => fault === 'in the way')).toBe(true)
})

it('keeps a kind apart from itself', () => {
  const menu: readonly MenuItem<string>[] = [
    { weight: 100, spacingMs: 5000, draw: () => 'rare' },
    { weight: 1, spacingMs: 0, draw: () => 'often' },
  ]
  const rare = drawPlan({ seed: 1n, durationMs: 600_000, meanGapMs: 100, menu }).filter(({ fault }) => fault === 'rare')
  expect(rare.length).toBeGreaterThan(50)
  for (const [i, { atMs }] of rare.entries()) expect(atMs - (rare[i - 1]?.atMs ?? -5000)).toBeGreaterThanOrEqual(5000)
})
