import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Pos, pos as asPos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import { namesOf } from '../../runtime/names.ts'
import { toCommitted } from '../../runtime/reader/progress.ts'
import { partitions } from '../testing/small-log.ts'
import { SmallWorld } from '../testing/small-world.ts'
import { awaitCommonBarrier } from './common-barrier.ts'

const names = namesOf('demo')
let dir: string
let world: SmallWorld
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-barrier-'))
  world = new SmallWorld({ dir, last: 'ticks' })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Time passes only when somebody sleeps; `onSleep` is what happens meanwhile. */
const sleepyClock = (onSleep: (sleptMs: number) => void = () => {}): Clock => {
  let nowMs = 0
  return {
    nowUs: () => 0n,
    monotonicMs: () => nowMs,
    sleep: async ms => {
      nowMs += ms
      onSleep(nowMs)
      await Promise.resolve()
    },
  }
}

const find = (
  waitMs = 0,
  clock = sleepyClock(),
  without: Parameters<typeof awaitCommonBarrier>[0]['without'] = new Set(),
) => awaitCommonBarrier({ kafka: world.kafka, names, partitions, clock, waitMs, without })

const barriers = (): readonly { readonly pos: Pos; readonly ns: readonly bigint[] }[] =>
  world.users.flatMap(({ partition, record }) => (partition === 0 && record.kind === 'Barrier' ? [record] : []))

/** A reader of `user.outputs` has come to just after the nth barrier in this partition. */
const commitAt = (group: string, partition: number, index: number): void => {
  const { pos, ns } = barriers().at(index) as ReturnType<typeof barriers>[0]
  const n = ns[partition] as bigint
  world.kafka.commit(group, names.topics.users, new Map([[partition, toCommitted({ offset: n, n, pos })]]))
}
const commitLog = (pos: Pos): void => {
  const at = world.log.findLastIndex(record => record.pos <= pos)
  const progress = { offset: BigInt(at) + 1n, n: 0n, pos }
  world.kafka.commit(names.groups.archiveLog, names.topics.log, new Map([[0, toCommitted(progress)]]))
}

describe('the common barrier', () => {
  test.each(['settle', 'load', 'archive'] as const)('is no further than %s in any partition', async name => {
    for (let partition = 0; partition < partitions; partition++) {
      const best = (await find()).barrier.pos
      commitAt(names.groups[name], partition, 2)
      const { barrier } = await find()
      expect(barrier.pos).toBe(barriers()[2]?.pos)
      expect(barrier.pos).toBeLessThan(best)
      commitAt(names.groups[name], partition, -1)
    }
  })

  test('is no further than the archive of the log', async () => {
    const second = barriers()[1]?.pos as Pos
    commitLog(second)
    expect((await find()).barrier.pos).toBe(second)
    commitLog(asPos(second - 1n))
    expect((await find()).barrier.pos).toBe(barriers()[0]?.pos)
  })

  test('does not wait for readers whose places are left out', async () => {
    const best = (await find()).barrier.pos
    commitAt(names.groups.load, 1, 0)
    commitAt(names.groups.archive, 0, 0)
    commitLog(barriers()[1]?.pos as Pos)
    expect((await find()).barrier.pos).toBe(barriers()[0]?.pos)
    const { barrier, readers } = await find(0, sleepyClock(), new Set(['load', 'archive', 'archiveLog']))
    expect(barrier.pos).toBeGreaterThanOrEqual(best)
    expect(readers).toMatchObject({ load: null, archive: null, archiveLog: null })
  })

  test('is refused when a group carries what no reader wrote', async () => {
    const committed = new Map([[1, { offset: 3n, metadata: 'mine' }]])
    world.kafka.commit(names.groups.load, names.topics.users, committed)
    await expect(find()).rejects.toMatchObject({ code: 'offset-foreign', reason: 'refused' })
  })
})

describe('waiting', () => {
  test('ends as soon as everybody is behind the last Output', async () => {
    const best = (await find()).barrier.pos
    commitAt(names.groups.load, 1, 0)
    const clock = sleepyClock(sleptMs => {
      if (sleptMs >= 1000) commitAt(names.groups.load, 1, -1)
    })
    expect((await find(60_000, clock)).barrier.pos).toBe(best)
    expect(clock.monotonicMs()).toBe(1000)
  })

  test('is bounded, and says who is behind', async () => {
    commitAt(names.groups.load, 1, 0)
    const clock = sleepyClock()
    const error = await find(700, clock).then(
      () => expect.fail('it found one'),
      (each: Error) => each,
    )
    expect(clock.monotonicMs()).toBe(700)
    expect(error).toMatchObject({ code: 'verify-behind', reason: 'failed' })
    expect(error.message).toContain(`after 700 ms`)
    expect(error.message).toContain(`load is at pos ${barriers()[0]?.pos}`)
    expect(error.message).not.toContain('settle is at')
  })

  test('without any common barrier there is nothing to compare, however short the wait', async () => {
    const nothing = new Map([[0, { offset: 0n, metadata: 'n=0 pos=0' }]])
    world.kafka.commit(names.groups.settle, names.topics.users, nothing)
    await expect(find()).rejects.toThrow('there is no common barrier yet after 0 ms')
  })
})
