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
