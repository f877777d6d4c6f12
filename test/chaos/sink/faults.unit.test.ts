import { expect, it } from 'vitest'
import { drawPlan } from '../plan.ts'
import { diskFull, kindOf, neverStruck, sinkMenu } from './faults.ts'

const planOf = (seed: bigint, durationMs: number) => drawPlan({ seed, durationMs, meanGapMs: 2500, menu: sinkMenu })

it('have weights that add up to 100', () => {
  expect(sinkMenu.reduce((sum, { weight }) => sum + weight, 0)).toBe(100)
})

it.each([1n, 2n, 3n, 4n, 5n])('are more than 30 in two minutes, seed %s', seed => {
  expect(planOf(seed, 120_000).length).toBeGreaterThan(36)
})

it('are of every kind in ten minutes', () => {
  expect([...new Set(planOf(1n, 600_000).map(({ fault }) => kindOf(fault)))].sort()).toEqual([
    'archive disk-full',
    ...['archive-freeze', 'archive-freeze past its session', 'archive-kill', 'archive-rebalance', 'archive-scale-in'],
    ...['archive-scale-out', 'archive-stop', 'broker-freeze', 'broker-kill', 'load-freeze'],
    ...['load-freeze past its session', 'load-kill', 'load-rebalance', 'load-scale-in', 'load-scale-out', 'load-stop'],
    ...['starrocks drop-after-commit', 'starrocks drop-before-commit', 'starrocks frontend-restart'],
    ...['starrocks full-disk', 'starrocks lost-label', 'starrocks publish-delay', 'starrocks publish-timeout'],
    ...['starrocks slow', 'starrocks unknown-status'],
  ])
})

it('leave out the full disk where none can be made full', () => {
  expect(sinkMenu.filter(item => item !== diskFull)).toHaveLength(sinkMenu.length - 1)
})

it('are told when none of their kind struck', () => {
  const counts = new Map([
    ['load-kill', { applied: 2, skipped: 1 }],
    ['starrocks slow', { applied: 0, skipped: 2 }],
  ])
  expect(neverStruck(counts)).toEqual(['starrocks slow was drawn 2 times and struck nobody'])
})
