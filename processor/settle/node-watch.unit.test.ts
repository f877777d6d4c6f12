import { expect, test } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryStore } from '../../runtime/cql/testing/memory-store.ts'
import { nodeChange, NodeWatch } from './node-watch.ts'

const watched = () => {
  const store = new MemoryStore()
  let nowMs = 0
  const watch = new NodeWatch({ cql: store, clock: { ...systemClock, monotonicMs: () => nowMs } })
  const ask = (nodes: Readonly<Record<string, number | null>>) => {
    store.nodes = new Map(Object.entries(nodes))
    nowMs += 10
    return watch.statesSince(nowMs)
  }
  return { watch, ask, store }
}

test.each([
  ['nothing', { a: 1, b: 2 }, { a: 1, b: 2 }, null],
  ['a restart', { a: 1, b: 2 }, { a: 1, b: 3 }, 'node b restarted: generation 3, was 2'],
  ['silence', { a: 1, b: 2 }, { a: 1, b: null }, 'node b stopped answering'],
  ['a node that stays silent', { a: 1, b: null }, { a: 1, b: null }, null],
  [
    'a node that was silent from the start and answers',
    { a: 1, b: null },
    { a: 1, b: 2 },
    'node b restarted: generation 2, was null',
  ],
  ['a node that left', { a: 1, b: 2 }, { a: 1 }, 'node b left the cluster'],
  ['a node that joined', { a: 1 }, { a: 1, b: 2 }, 'node b joined the cluster'],
])('%s', async (_, before, now, change) => {
  const { ask } = watched()
  expect(nodeChange(await ask(before), await ask(now))).toBe(change)
})

test('a node that was silent and lives the same life lost nothing, one with another life did', async () => {
  const { ask } = watched()
  await ask({ a: 1 })
  const silent = await ask({ a: null })
  const back = await ask({ a: 1 })
  expect(nodeChange(silent, back)).toBeNull()
  expect(nodeChange(silent, await ask({ a: 2 }))).toMatch(/restarted/)
})

test('partitions share an answer, but never one that was asked too early', async () => {
  const { watch, ask, store } = watched()
  await ask({ a: 1 })
  store.nodes = new Map([['a', 2]])
  expect((await watch.statesSince(10)).get('a')?.generation).toBe(1)
  expect((await watch.statesSince(11)).get('a')?.generation).toBe(2)
})
