import { expect, it } from 'vitest'
import { Failovers, median, slowest } from './failovers.ts'

/** Two owners, on a clock in our hands. */
const owners = () => {
  const clock = { nowMs: 0 }
  const failovers = new Failovers(() => clock.nowMs)
  for (const [process, partitions] of [
    ['settle-1', [0, 1]],
    ['settle-2', [2]],
  ] as const) {
    failovers.started(process)
    failovers.assigned(process, partitions)
    for (const partition of partitions) failovers.opened(process, partition)
  }
  const at = (ms: number, act: (failovers: Failovers) => unknown): void => {
    clock.nowMs = ms
    void act(failovers)
  }
  /** Something lasts: resolves when all that waits for its end has heard of it. */
  const lasting = (fromMs: number, untilMs: number, act: (wait: Promise<void>) => Promise<unknown>) => {
    const over = Promise.withResolvers<void>()
    clock.nowMs = fromMs
    const acting = act(over.promise)
    return async () => {
      clock.nowMs = untilMs
      over.resolve()
      await acting
    }
  }
  const disturbances = () => failovers.all.map(({ disturbedBy }) => [...disturbedBy])
  return { failovers, at, lasting, disturbances }
}

it('is over once everybody has partitions and whoever was killed has been replaced', () => {
  const { failovers, at } = owners()
  const all = { partitions: 3, owners: 2 }
  expect(failovers.isOver(all)).toBe(true)
  expect(failovers.isOver({ ...all, owners: 3 })).toBe(false)
  at(1000, each => each.killed(['settle-1']))
  failovers.opened('settle-2', 0)
  failovers.started('settle-1')
  failovers.opened('settle-1', 1)
  at(8000, each => each.acknowledged('settle-2', 0))
  expect(failovers.isOver(all)).toBe(false)
  at(9000, each => each.acknowledged('settle-1', 1))
  expect(failovers.isOver(all)).toBe(true)
  failovers.assigned('settle-2', [2])
  expect(failovers.isOver(all)).toBe(false)
})

it('counts from the kill of an owner to the first write of each partition that it had', () => {
  const { failovers, at } = owners()
  at(1000, each => each.killed(['settle-1']))
  expect(failovers.all.map(slowest)).toEqual([null])
  // What the dead one had said before is heard late.
  at(1010, each => each.acknowledged('settle-1', 1))
  failovers.opened('settle-1', 0)
  at(2000, each => each.acknowledged('settle-2', 2))
  at(8000, each => each.acknowledged('settle-2', 0))
  expect(failovers.all.map(slowest)).toEqual([null])
  failovers.started('settle-1')
  at(9500, each => each.acknowledged('settle-1', 1))
  at(20_000, each => each.acknowledged('settle-1', 1))
  expect(failovers.all).toEqual([
    {
      process: 'settle-1',
      atMs: 1000,
      partitions: new Map([
        [0, 7000],
        [1, 8500],
      ]),
      disturbedBy: new Set(),
    },
  ])
  expect(failovers.all.map(slowest)).toEqual([8500])
})

it('goes on counting from the first death when the next owner dies too, and is disturbed by that', () => {
  const { failovers, at, disturbances } = owners()
  at(0, each => each.killed(['settle-2']))
  failovers.opened('settle-1', 2)
  at(5000, each => each.killed(['settle-1']))
  at(12_000, each => [0, 1, 2].map(partition => each.acknowledged('settle-3', partition)))
  expect(failovers.all.map(slowest)).toEqual([12_000, 7000])
  expect(disturbances()).toEqual([['settle-1 killed'], []])
})

it('is not disturbed by who is killed at the same moment: both are missed together', () => {
  const { at, disturbances } = owners()
  at(0, each => each.killed(['settle-1', 'settle-2']))
  at(8000, each => [0, 1, 2].map(partition => each.acknowledged('settle-3', partition)))
  expect(disturbances()).toEqual([[], []])
})

it.each([
  ['before it, for longer than its session', 0, 11_000, []],
  ['until the session of the dead is over', 12_000, 16_000, []],
  ['when the session of the dead is over', 15_000, 17_000, ['settle-3 frozen']],
  ['while the next owner takes over', 17_000, 17_500, ['settle-3 frozen']],
  ['past its own session, which is over first', 9000, 30_000, []],
  ['past its own session, which is over later', 11_000, 30_000, ['settle-3 frozen']],
  ['once everything is written', 18_000, 19_000, []],
])('a freeze %s, from %d to %d', async (_, fromMs, untilMs, disturbedBy) => {
  const { failovers, at, lasting, disturbances } = owners()
  if (fromMs > 10_000) at(10_000, each => each.killed(['settle-2']))
  const thaw = lasting(fromMs, untilMs, wait => failovers.frozen('settle-3', wait))
  if (fromMs <= 10_000) at(10_000, each => each.killed(['settle-2']))
  if (untilMs < 18_000) await thaw()
  at(18_000, each => each.acknowledged('settle-1', 2))
  if (untilMs >= 18_000) await thaw()
  expect(disturbances()).toEqual([disturbedBy])
})

it('is disturbed by who is asked to stop, until it has left', () => {
  const { at, disturbances } = owners()
  at(0, each => each.killed(['settle-2']))
  at(1000, each => each.stopped('settle-1'))
  at(2000, each => each.ended('settle-1'))
  at(5000, each => each.stopped('settle-3'))
  at(6500, each => each.ended('settle-3'))
  at(9000, each => each.acknowledged('settle-4', 2))
  at(9500, each => each.stopped('settle-4'))
  expect(disturbances()).toEqual([['settle-3 stopped']])
})

it('is disturbed by what is away meanwhile, and by what that leaves behind', async () => {
  const { at, lasting, disturbances, failovers } = owners()
  const start = lasting(0, 3000, wait => failovers.during('broker-kill', wait, { lingersMs: 6000 }))
  at(1000, each => each.killed(['settle-1']))
  await start()
  at(3500, each => each.killed(['settle-2']))
  at(9700, each => [0, 1, 2].map(partition => each.acknowledged('settle-3', partition)))
  await lasting(9800, 9900, wait => failovers.during('quorum-loss', wait))()
  expect(disturbances()).toEqual([['broker-kill', 'settle-2 killed'], []])
})

it('is not excused by what comes once the bar has passed', () => {
  const { at, disturbances } = owners()
  at(0, each => each.killed(['settle-2']))
  at(12_000, each => each.killed(['settle-1']))
  at(20_000, each => [0, 1, 2].map(partition => each.acknowledged('settle-3', partition)))
  expect(disturbances()).toEqual([[], []])
})

it('is none of a process that owned nothing, or stopped, or was relieved before', () => {
  const { failovers, at } = owners()
  at(0, each => each.killed(['settle-9']))
  failovers.ended('settle-2')
  failovers.killed(['settle-2'])
  expect(failovers.owns('settle-1')).toBe(true)
  failovers.assigned('settle-1', [])
  failovers.killed(['settle-1'])
  expect(failovers.owns('settle-1')).toBe(false)
  expect(failovers.all).toEqual([])
})

it('the median of two is the slower one', () => {
  expect(median([])).toBe(null)
  expect(median([3, 1, 2])).toBe(2)
  expect(median([9, 1])).toBe(9)
})
