import { expect, it } from 'vitest'
import { drawPlan } from '../plan.ts'
import { kindOf, meanGapMs, type SettleFault, settleMenu } from './faults.ts'

const seeds = Array.from({ length: 20 }, (_, i) => BigInt(i + 1))
const planOf = (seed: bigint, durationMs = 180_000) => drawPlan({ seed, durationMs, meanGapMs, menu: settleMenu })
const isKill = ({ kind, ...fault }: SettleFault): boolean =>
  kind === 'kill' && 'service' in fault && fault.service === 'settle'

it('have weights that add up to 100', () => {
  expect(settleMenu.reduce((sum, { weight }) => sum + weight, 0)).toBe(100)
})

it.each(seeds)('are more than 30 in three minutes, seven of them or more a SIGKILL of settle, seed %s', seed => {
  const plan = planOf(seed)
  expect(plan.length).toBeGreaterThan(36)
  expect(plan.filter(({ fault }) => isKill(fault)).length).toBeGreaterThan(6)
})

it('are of every kind in twenty minutes', () => {
  const kinds = ['reset', 'halve', 'drop', 'hold', 'delay']
  const ofServices = ['settle', 'repartition', 'bridge'].flatMap(service =>
    ['kill', 'stop', 'freeze', 'freeze past its session'].map(kind => `${service}-${kind}`),
  )
  expect(new Set(planOf(1n, 1_200_000).map(({ fault }) => kindOf(fault)))).toEqual(
    new Set([
      ...ofServices,
      ...['settle-scale-out', 'settle-scale-in', 'settle-rebalance'],
      ...['node-kill', 'node-freeze', 'quorum-loss', 'broker-kill', 'broker-freeze'],
      ...kinds.flatMap(kind => [`kafka ${kind}`, `cql ${kind}`]),
    ]),
  )
})
