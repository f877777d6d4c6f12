import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineOutput } from '../../core/events.ts'
import { history } from '../../core/testing/history.ts'
import { expectedFacts, SettledWorld, storedFacts, unequalIntervals } from './testing/settled-world.ts'
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

const check = (world: SettledWorld): void => {
  expect(storedFacts(world.store)).toEqual(expectedFacts(world.topic))
  expect(unequalIntervals(world.store, partitions)).toEqual([])
  expect(world.store.ties).toEqual([])
}

describe('whatever the engine did', () => {
  test('the store is what the naive ledger says, in batches of any size and with a cache of any size', async () => {
    const sizes = fc.record({
      batchRecords: fc.integer({ min: 1, max: 60 }),
      cacheCells: fc.integer({ min: 3, max: 30 }),
    })
    await fc.assert(
      fc.asyncProperty(history, barrierEvery, sizes, async (outputs, every, options) => {
        const world = new SettledWorld(topicOf(outputs, every))
        void world.start(options)
        await world.settled()
        await world.stop()
        check(world)
      }),
      { numRuns: 40 },
    )
  })

  test('starting again after any barriers changes nothing, whatever each partition had committed', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        barrierEvery,
        fc.array(fc.nat(), { minLength: partitions, maxLength: partitions }),
        async (outputs, every, picks) => {
          const world = new SettledWorld(topicOf(outputs, every))
          void world.start()
          await world.settled()
          await world.stop()
          const rows = ['balances', 'history', 'orders', 'open_orders', 'trades', 'intervals'].map(name =>
            world.store.rows(name),
          )
          const barriers = world.topic.records.map(records => [
            -1,
            ...records.flatMap((record, at) => (record.kind === 'Barrier' ? [at] : [])),
          ])
          world.rewind(barriers.map((each, partition) => each[(picks[partition] ?? 0) % each.length] ?? -1))
          void world.start()
          await world.settled()
          await world.stop()
          expect(
            ['balances', 'history', 'orders', 'open_orders', 'trades', 'intervals'].map(name => world.store.rows(name)),
          ).toEqual(rows)
          check(world)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('stopped and started in the middle, it goes on', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        barrierEvery,
        fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 4 }),
        async (outputs, every, stops) => {
          const world = new SettledWorld(topicOf(outputs, every))
          world.kafka.fill(world.topic.records)
          for (const writes of stops) {
            const goal = world.store.log.length + writes
            void world.start({ batchRecords: 3 })
            await world.until('some writes', () => world.store.log.length >= goal || isSettled(world))
            await world.stop()
          }
          void world.start()
          await world.settled()
          await world.stop()
          check(world)
        },
      ),
      { numRuns: 30 },
    )
  })
})

const isSettled = (world: SettledWorld): boolean =>
  world.store.rows('intervals').filter(row => row['barrier_pos'] === world.topic.pos).length === partitions
