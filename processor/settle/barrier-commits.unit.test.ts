import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { pos } from '../../core/ids.ts'
import { MemoryStore } from '../../runtime/cql/testing/memory-store.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { BarrierCommits } from './barrier-commits.ts'
import { settleLimits } from './limits.ts'
import { NodeWatch } from './node-watch.ts'
import { settleMetrics } from './settle-metrics.ts'

test('a barrier that can not be committed for long is an alarm, until one is', async () => {
  const clock = new TestClock()
  const registry = new Registry()
  let isKafkaThere = false
  const committed: bigint[] = []
  const commits = await BarrierCommits.open({
    partition: 2,
    commit: ({ n }) => {
      if (!isKafkaThere) return Promise.reject(new KafkaFailure('retriable', 'no coordinator'))
      committed.push(n)
      return Promise.resolve()
    },
    watch: new NodeWatch({ cql: new MemoryStore(), clock }),
    clock,
    log: pino({ level: 'silent' }),
    metrics: settleMetrics(registry),
    holdMs: 1000,
    commitIntervalMs: 100,
  })
  const alarm = async (): Promise<number | undefined> =>
    (await registry.getSingleMetric('settle_settle_commit_stalled')?.get())?.values[0]?.value
  const stopping = new AbortController()
  const running = commits.run(stopping.signal)
  commits.read(7n)
  commits.acknowledged({ offset: 8n, n: 7n, pos: pos(70n) })
  await clock.sleep(1000 + settleLimits.commitStallMs - 200)
  expect([await alarm(), commits.held]).toEqual([0, 1])
  await clock.sleep(500)
  expect(await alarm()).toBe(1)
  isKafkaThere = true
  await clock.sleep(500)
  expect([await alarm(), commits.held, committed]).toEqual([0, 0, [7n]])
  stopping.abort()
  await running
})

test('a node that was silent, comes back between two commits and falls silent again may have lost what it took', async () => {
  const clock = new TestClock()
  const store = new MemoryStore()
  const nodesAre = (b: number | null): void => {
    store.nodes = new Map([
      ['a', 1],
      ['b', b],
    ])
  }
  const watch = new NodeWatch({ cql: store, clock })
  nodesAre(1)
  await watch.statesSince(clock.monotonicMs())
  await clock.sleep(10)
  nodesAre(null)
  const committed: bigint[] = []
  const commits = await BarrierCommits.open({
    partition: 2,
    commit: ({ n }) => {
      committed.push(n)
      return Promise.resolve()
    },
    watch,
    clock,
    log: pino({ level: 'silent' }),
    metrics: settleMetrics(new Registry()),
    holdMs: 1000,
    commitIntervalMs: 100,
  })
  const running = commits.run(new AbortController().signal).catch((error: unknown) => error)
  await clock.sleep(50)
  nodesAre(1)
  commits.read(7n)
  commits.acknowledged({ offset: 8n, n: 7n, pos: pos(70n) })
  await clock.sleep(500)
  nodesAre(null)
  await clock.sleep(2000)
  expect(committed).toEqual([])
  expect(await running).toMatchObject({ message: expect.stringContaining('node b stopped answering') as string })
})
