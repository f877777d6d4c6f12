import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pos } from '../../core/ids.ts'
import { BatchPlaces } from './batch-places.ts'

const { signal: wanted } = new AbortController()

/** Who got a place, in order; the first claims take all places. */
const granted = async (
  places: number,
  claims: readonly { readonly partition: number; readonly oldest: number; readonly signal?: AbortSignal }[],
  leaving: readonly number[],
): Promise<readonly string[]> => {
  const batches = new BatchPlaces(places)
  const order: string[] = []
  for (const { partition, oldest, signal } of claims) {
    const entered = (): unknown => order.push(`${partition}@${oldest}`)
    const place = batches.enter({ partition, oldest: pos(BigInt(oldest)), signal: signal ?? wanted })
    if (place) void place.then(entered)
    else entered()
  }
  for (const partition of leaving) {
    batches.leave(partition)
    await nextTurn()
  }
  return order
}

test('a place goes to whose records are the oldest, not to who came first', async () => {
  const claims = [
    { partition: 1, oldest: 10 },
    { partition: 2, oldest: 11 },
    { partition: 3, oldest: 30 },
    { partition: 4, oldest: 20 },
    { partition: 5, oldest: 40 },
  ]
  expect(await granted(2, claims, [1, 2, 4])).toEqual(['1@10', '2@11', '4@20', '3@30', '5@40'])
})

test('a partition far behind gets no more than half of the places while others wait, and all when nobody does', async () => {
  const behind = Array.from({ length: 5 }, (_, batch) => ({ partition: 9, oldest: batch }))
  const others = [
    { partition: 1, oldest: 1000 },
    { partition: 2, oldest: 2000 },
  ]
  const claims = [...behind.slice(0, 4), ...others, ...behind.slice(4)]
  expect(await granted(4, claims, [9])).toEqual(['9@0', '9@1', '9@2', '9@3', '1@1000'])
  expect(await granted(4, claims, [9, 9])).toEqual(['9@0', '9@1', '9@2', '9@3', '1@1000', '2@2000'])
  expect(await granted(4, claims, [9, 9, 1])).toEqual(['9@0', '9@1', '9@2', '9@3', '1@1000', '2@2000', '9@4'])
})

test('whoever gives up does not wait for those that are older', async () => {
  const claims = [
    { partition: 1, oldest: 10 },
    { partition: 2, oldest: 20 },
    { partition: 3, oldest: 30, signal: AbortSignal.abort() },
  ]
  expect(await granted(1, claims, [1, 3])).toEqual(['1@10', '3@30', '2@20'])
})

test('never more have a place than there are, and whoever waits gets one in the end', async () => {
  const partition = fc.integer({ min: 0, max: 5 })
  const steps = fc.array(fc.record({ partition, oldest: fc.nat(100), leaves: fc.boolean() }), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (places, taken) => {
      const batches = new BatchPlaces(places)
      const inside: number[] = []
      let entered = 0
      const leave = async (): Promise<void> => {
        batches.leave(inside.shift() as number)
        await nextTurn()
      }
      for (const { partition, oldest, leaves } of taken) {
        const enter = (): void => {
          entered++
          inside.push(partition)
        }
        const place = batches.enter({ partition, oldest: pos(BigInt(oldest)), signal: wanted })
        if (place) void place.then(enter)
        else enter()
        if (leaves && inside.length > 0) await leave()
        expect(inside.length).toBeLessThanOrEqual(places)
      }
      while (inside.length > 0) {
        expect(inside.length).toBe(Math.min(places, taken.length - entered + inside.length))
        await leave()
      }
      expect(entered).toBe(taken.length)
    }),
  )
})
