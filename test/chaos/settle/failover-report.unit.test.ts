import { expect, it } from 'vitest'
import { failoverRows, failoverText, judgeFailovers } from './failover-report.ts'
import type { Failover } from './failovers.ts'

const failover = (ms: number | null, ...disturbedBy: readonly string[]): Failover => ({
  ...{ process: 'settle-1', atMs: 1000, disturbedBy: new Set(disturbedBy) },
  partitions: new Map([
    [0, 500],
    [1, ms],
  ]),
})
const times = (count: number, ms: number): readonly Failover[] => Array.from({ length: count }, () => failover(ms))

it('holds the median of those that nothing disturbed to the bar', () => {
  const disturbed = [failover(40_000, 'broker-kill'), failover(50_000, 'settle-2 frozen')]
  expect(judgeFailovers([...times(2, 20_000), ...times(3, 11_999), ...disturbed])).toEqual({
    violations: [],
    shortfalls: [],
  })
  expect(judgeFailovers([...times(3, 12_000), ...times(2, 8000)]).shortfalls).toEqual([
    'the median undisturbed fail-over took 12.0 s, it must be below 12.0 s',
  ])
})

it('says so when they are too few for a median', () => {
  expect(judgeFailovers([...times(4, 8000), failover(8000, 'settle-2 killed')]).shortfalls).toEqual([
    '4 fail-overs were undisturbed, 5 are needed for a median',
  ])
})

it('never forgives a partition that nobody wrote again', () => {
  expect(judgeFailovers([...times(5, 8000), failover(null, 'broker-kill')])).toEqual({
    violations: ['partition 1 was never written again after settle-1 was killed at 1.0 s'],
    shortfalls: [],
  })
})

it('tells the undisturbed ones, all of them, and what disturbed each', () => {
  const failovers = [failover(7000), failover(9000), failover(30_000, 'broker-kill', 'settle-2 frozen'), failover(null)]
  expect(failoverRows(failovers)).toEqual([
    ['fail-overs after SIGKILL, undisturbed', '2, median 9.0 s, longest 9.0 s'],
    ['fail-overs after SIGKILL, all', '3, median 9.0 s, longest 30.0 s'],
    ['each, its slowest partition (*: disturbed)', '7.0 9.0 30.0* never'],
    ['settle-1 killed at 1.0 s', '30.0* broker-kill, settle-2 frozen'],
    ['single partitions', '7, median 0.5 s, longest 30.0 s'],
  ])
  expect(failoverText(failovers.slice(1, 3))).toBe(
    'settle-1 killed at 1.0 s; written again: 0: 0.5 s, 1: 9.0 s; undisturbed\n' +
      'settle-1 killed at 1.0 s; written again: 0: 0.5 s, 1: 30.0 s; disturbed: broker-kill, settle-2 frozen\n',
  )
})
