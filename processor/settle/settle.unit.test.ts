import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineOutput } from '../../core/events.ts'
import type { UserId } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import { history } from '../../core/testing/history.ts'
import type { CqlRow } from '../../runtime/cql/port.ts'
import type { MemoryStore } from '../../runtime/cql/testing/memory-store.ts'
import { expectedFacts, SettledWorld, storedFacts, unequalIntervals, words } from './testing/settled-world.ts'
import { UserTopic } from './testing/user-topic.ts'

const partitions = 3

const topicOf = (outputs: readonly EngineOutput[], barrierEvery: number): UserTopic => {
  const topic = new UserTopic({ partitions })
  for (const [at, output] of outputs.entries()) {
    topic.output(output)
    if (at % barrierEvery === barrierEvery - 1) topic.barrier()
  }
  topic.barrier()
  return topic
}

const barrierEvery = fc.integer({ min: 1, max: 15 })
const sizes = fc.record({
  batchRecords: fc.integer({ min: 1, max: 60 }),
  batchesAtOnce: fc.integer({ min: 1, max: partitions }),
  cacheCells: fc.integer({ min: 3, max: 30 }),
})
const delays = fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 20 })

/** Waits of the store before it writes, so that answers come in any order. */
const waiter = (turns: readonly number[]): (() => Promise<void>) => {
  let at = 0
  return async () => {
    for (let left = turns[at++ % turns.length] ?? 0; left > 0; left--) await new Promise(setImmediate)
  }
}

const run = async (world: SettledWorld, options: Parameters<SettledWorld['start']>[0] = {}): Promise<void> => {
  void world.start(options)
  await world.settled()
  await world.stop()
}

const tables = (store: MemoryStore): readonly (readonly CqlRow[])[] =>
  ['balances', 'history', 'history_buckets', 'orders', 'open_orders', 'trades', 'intervals'].map(name =>
    store.rows(name),
  )

const check = (world: SettledWorld): void => {
  expect(storedFacts(world.store)).toEqual(expectedFacts(world.topic))
  expect(unequalIntervals(world.store, partitions)).toEqual([])
  expect(world.store.ties).toEqual([])
  // The timestamp of each write is the pos of a record; it is a delete's first parameter, an insert's last.
  const positions = new Set<unknown>(world.topic.records.flat().map(record => record.pos))
  const stamps = world.store.log.map(({ cql, params }) => (cql.startsWith('DELETE') ? params[0] : params.at(-1)))
  expect(stamps.filter(stamp => !positions.has(stamp))).toEqual([])
}

describe('whatever the engine did', () => {
  test('the store is what the naive ledger says, in batches of any size and with a cache of any size', async () => {
    await fc.assert(
      fc.asyncProperty(history, barrierEvery, sizes, delays, async (outputs, every, options, turns) => {
        const world = new SettledWorld(topicOf(outputs, every))
        world.store.hooks.onWrite = waiter(turns)
        await run(world, options)
        check(world)
      }),
      { numRuns: 20 },
    )
  })

  test('a cell is written after its history, an offset committed after both', async () => {
    await fc.assert(
      fc.asyncProperty(history, barrierEvery, sizes, delays, async (outputs, every, options, turns) => {
        const world = new SettledWorld(topicOf(outputs, every))
        const wait = waiter(turns)
        const [acknowledged, problems] = [new Set<string>(), new Set<string>()]
        world.store.hooks.onWrite = async statements => {
          for (const { cql, params } of statements)
            if (
              /^INSERT INTO (balances|open_orders)/.test(cql) &&
              !acknowledged.has(words('history', params[0], params[3]))
            )
              problems.add(words('cell before its history:', params[0], params[3]))
          await wait()
          for (const { cql, params } of statements) {
            const table = cql.split(' ')[2] ?? ''
            if (table === 'history') acknowledged.add(words('history', params[0], params[2]))
            if (table === 'intervals') acknowledged.add(words('interval', params[0], params[1]))
          }
        }
        world.kafka.onCommit = (partition, { metadata }) => {
          const pos = /pos=(\d+)/.exec(metadata)?.[1]
          if (!acknowledged.has(`interval ${pos} ${partition}`)) problems.add(`offset at ${pos} before its interval`)
        }
        await run(world, options)
        expect([...problems]).toEqual([])
      }),
      { numRuns: 15 },
    )
  })

  test('starting again after any barriers changes nothing, and writes again each cell that it loads', async () => {
    const picks = fc.array(fc.nat(), { minLength: partitions, maxLength: partitions })
    await fc.assert(
      fc.asyncProperty(history, barrierEvery, picks, async (outputs, every, picked) => {
        const world = new SettledWorld(topicOf(outputs, every))
        await run(world)
        const before = tables(world.store)
        const starts = world.topic.records.map((records, partition) => {
          const all = [-1, ...records.flatMap((record, at) => (record.kind === 'Barrier' ? [at] : []))]
          return all[(picked[partition] ?? 0) % all.length] ?? -1
        })
        world.rewind(starts)
        world.store.log.length = 0
        await run(world)
        expect(tables(world.store)).toEqual(before)
        check(world)
        const firsts = new Map<unknown, bigint>()
        for (const [partition, records] of world.topic.records.entries())
          for (const record of records.slice((starts[partition] ?? -1) + 1))
            if (record.kind === 'UserOutput' && !firsts.has(record.user)) firsts.set(record.user, record.pos)
        const loaded = world.store.rows('balances').filter(row => firsts.has(row['user_id']))
        const written = new Set(
          world.store.log
            .filter(({ cql }) => cql.startsWith('INSERT INTO balances'))
            .map(({ params }) => words(params[0], params[1])),
        )
        expect(loaded.filter(row => !written.has(words(row['user_id'], row['asset'])))).toEqual([])
        for (const [user, first] of firsts) {
          const mine = world.store.rows('history_buckets').filter(row => row['user_id'] === user)
          const [newest] = mine
            .map(row => row['bucket'] as bigint)
            .filter(bucket => bucket <= first)
            .sort((a, b) => Number(b - a))
          const again = world.store.log.filter(
            ({ cql, params }) => cql.startsWith('INSERT INTO history_buckets') && params[0] === user,
          )
          expect(again.map(({ params }) => params[1])).toContain(newest)
        }
      }),
      { numRuns: 20 },
    )
  })

  test('stops while records wait for room and the store is slow', async () => {
    const histories = fc.sample(history, { seed: 3, numRuns: 40 })
    const longest = histories.reduce((a, b) => (a.length > b.length ? a : b))
    const world = new SettledWorld(topicOf(longest, 3))
    const slow = Promise.withResolvers<void>()
    let writes = 0
    world.store.hooks.onWrite = () => {
      writes++
      return slow.promise
    }
    world.kafka.fill(world.topic.records)
    // One batch is under way, another waits, and the rest of what was fetched finds no room.
    const done = world.start({ batchRecords: 1, batchesAtOnce: partitions })
    await world.until('every partition writes', () => writes >= partitions)
    const stopped = world.stop()
    slow.resolve()
    await stopped
    await expect(done).resolves.toBeUndefined()
  })

  test('batches of no more partitions than asked for are under way at once', async () => {
    const limits = fc.integer({ min: 1, max: partitions })
    await fc.assert(
      fc.asyncProperty(history, limits, delays, async (outputs, batchesAtOnce, turns) => {
        const world = new SettledWorld(topicOf(outputs, 5))
        const wait = waiter(turns)
        const writing: number[] = []
        let most = 0
        world.store.hooks.onWrite = async ([first]) => {
          const isUsers = first?.cql.startsWith('INSERT INTO balances') || first?.cql.startsWith('INSERT INTO history ')
          if (!first || !isUsers) return wait()
          const partition = partitionOf(first.params[0] as UserId, partitions)
          writing.push(partition)
          most = Math.max(most, new Set(writing).size)
          await wait()
          writing.splice(writing.indexOf(partition), 1)
        }
        await run(world, { batchRecords: 2, batchesAtOnce })
        expect(most).toBeLessThanOrEqual(batchesAtOnce)
      }),
      { numRuns: 15 },
    )
  })

  test('stops while a partition opens and the store does not answer', async () => {
    const world = new SettledWorld(topicOf([], 1))
    let asked = 0
    world.store.hooks.onQuery = cql => {
      if (!cql.endsWith('FROM parked')) return
      asked++
      return new Promise(() => {})
    }
    const done = world.start()
    await world.until('every partition opens', () => asked === partitions)
    await world.stop()
    await expect(done).resolves.toBeUndefined()
  })

  test('stopped and started in the middle, it goes on', async () => {
    const stops = fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(history, barrierEvery, stops, async (outputs, every, writes) => {
        const world = new SettledWorld(topicOf(outputs, every))
        world.kafka.fill(world.topic.records)
        for (const count of writes) {
          const goal = world.store.log.length + count
          void world.start({ batchRecords: 3 })
          await world.until('some writes', () => world.store.log.length >= goal || isSettled(world))
          await world.stop()
        }
        await run(world)
        check(world)
      }),
      { numRuns: 15 },
    )
  })
})

test("a sync period below the store's is refused", async () => {
  const world = new SettledWorld(topicOf([], 1))
  world.store.syncMs = 1000
  world.kafka.fill(world.topic.records)
  await expect(Promise.race([world.start({ storeSyncMs: 999 }), world.settled()])).rejects.toMatchObject({
    code: 'store-sync',
    message: expect.stringMatching(/=999 .* at least 1000/),
  })
  await run(world, { storeSyncMs: 1000 })
})

const isSettled = (world: SettledWorld): boolean =>
  world.store.rows('intervals').filter(row => row['barrier_pos'] === world.topic.pos).length === partitions
