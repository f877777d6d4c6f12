import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { Barrier } from '../../core/events.ts'
import { assetId, pos } from '../../core/ids.ts'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryStore } from '../../runtime/cql/testing/memory-store.ts'
import { Conservation } from './conservation.ts'
import { settleLimits } from './limits.ts'
import { intervalRow } from './rows.ts'
import { settleMetrics } from './settle-metrics.ts'

const barrier = (at: number, flow: number): Barrier => ({
  kind: 'Barrier',
  n: 1n,
  src: 0n,
  pos: pos(BigInt(at)),
  previous: pos(0n),
  ns: [1n, 1n],
  flow: flow === 0 ? [] : [{ asset: assetId(1), amount: BigInt(flow) }],
})
const row = (at: number, partition: number, sum: number) =>
  intervalRow({
    pos: pos(BigInt(at)),
    partition,
    n: 1n,
    previous: pos(0n),
    sums: [[assetId(1), BigInt(sum)]],
    flow: [],
  })

const checker = () => {
  const store = new MemoryStore()
  const registry = new Registry()
  let nowMs = 0
  const conservation = new Conservation({
    cql: store,
    clock: { ...systemClock, monotonicMs: () => nowMs },
    log: pino({ level: 'silent' }),
    metrics: settleMetrics(registry),
    partitions: 2,
  })
  const alarm = async (): Promise<number | undefined> =>
    (await registry.getSingleMetric('settle_settle_conservation_alarm')?.get())?.values[0]?.value
  return { store, conservation, alarm, pass: (ms: number) => (nowMs += ms) }
}

test('equal sums pass, and nothing is decided before every row is there', async () => {
  const { store, conservation, alarm } = checker()
  conservation.add(barrier(10, 5))
  store.apply(row(10, 0, 12))
  await conservation.turn()
  expect(conservation.open).toBe(1)
  store.apply(row(10, 1, -7))
  await conservation.turn()
  expect([conservation.open, conservation.broken, await alarm()]).toEqual([0, false, 0])
})

test('unequal sums are an alarm that stays', async () => {
  const { store, conservation, alarm } = checker()
  conservation.add(barrier(10, 0))
  store.apply(row(10, 0, 12))
  store.apply(row(10, 1, -11))
  await conservation.turn()
  conservation.add(barrier(20, 0))
  store.apply(row(20, 0, 0))
  store.apply(row(20, 1, 0))
  await conservation.turn()
  expect([conservation.open, conservation.broken, await alarm()]).toEqual([0, true, 1])
})

test('a row that stays missing is an alarm until it comes', async () => {
  const { store, conservation, alarm, pass } = checker()
  conservation.add(barrier(10, 0))
  store.apply(row(10, 0, 0))
  pass(settleLimits.intervalMissingMs - 1)
  await conservation.turn()
  expect(await alarm()).toBe(0)
  pass(1)
  await conservation.turn()
  expect([await alarm(), conservation.broken]).toEqual([1, false])
  store.apply(row(10, 1, 0))
  await conservation.turn()
  expect([await alarm(), conservation.open]).toEqual([0, 0])
})
