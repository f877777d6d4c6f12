import { expect, it } from 'vitest'
import { Failovers, median, slowest } from './failovers.ts'

const owners = (): Failovers => {
  const failovers = new Failovers()
  for (const [process, partitions] of [
    ['settle-1', [0, 1]],
    ['settle-2', [2]],
  ] as const) {
    failovers.started(process)
    failovers.assigned(process, partitions)
    for (const partition of partitions) failovers.opened(process, partition)
  }
  return failovers
}

it('counts from the kill of an owner to the first write of each partition that it had', () => {
  const failovers = owners()
  failovers.killed('settle-1', 1000)
  expect(failovers.all.map(slowest)).toEqual([null])
  // What the dead one had said before is heard late.
  failovers.acknowledged('settle-1', 1, 1010)
  failovers.opened('settle-1', 0)
  failovers.acknowledged('settle-2', 2, 2000)
  failovers.acknowledged('settle-2', 0, 8000)
  expect(failovers.all.map(slowest)).toEqual([null])
  failovers.started('settle-1')
  failovers.acknowledged('settle-1', 1, 9500)
  failovers.acknowledged('settle-1', 1, 20_000)
  void failovers.during('too late', Promise.resolve())
  expect(failovers.all).toEqual([
    {
      process: 'settle-1',
      atMs: 1000,
      partitions: new Map([
        [0, 7000],
        [1, 8500],
      ]),
      outages: new Set(),
    },
  ])
  expect(failovers.all.map(slowest)).toEqual([8500])
})

it('goes on counting from the first death when the next owner dies too', () => {
  const failovers = owners()
  failovers.killed('settle-2', 0)
  failovers.opened('settle-1', 2)
  failovers.killed('settle-1', 5000)
  for (const partition of [0, 1, 2]) failovers.acknowledged('settle-3', partition, 12_000)
  expect(failovers.all.map(slowest)).toEqual([12_000, 7000])
})

it('knows what was away meanwhile', async () => {
  const failovers = owners()
  const over = Promise.withResolvers<void>()
  const early = failovers.during('broker-kill', over.promise)
  failovers.killed('settle-1', 0)
  over.resolve()
  await early
  failovers.killed('settle-2', 0)
  failovers.acknowledged('settle-3', 2, 9)
  await failovers.during('quorum-loss', Promise.resolve())
  expect(failovers.all.map(({ outages }) => [...outages])).toEqual([['broker-kill', 'quorum-loss'], []])
})

it('is none of a process that owned nothing, or stopped, or was relieved before', () => {
  const failovers = owners()
  failovers.killed('settle-9', 0)
  failovers.ended('settle-2')
  failovers.killed('settle-2', 0)
  failovers.assigned('settle-1', [])
  failovers.killed('settle-1', 0)
  expect(failovers.all).toEqual([])
})

it('the median of two is the slower one', () => {
  expect(median([])).toBe(null)
  expect(median([3, 1, 2])).toBe(2)
  expect(median([9, 1])).toBe(9)
})
