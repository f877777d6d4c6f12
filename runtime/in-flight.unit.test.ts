import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InFlight } from './in-flight.ts'

test('whoever enters waits for a place in order, and one that is left is taken once', async () => {
  const steps = fc.array(fc.constantFrom('enter' as const, 'leave' as const), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (limit, taken) => {
      const places = new InFlight(limit)
      const entered: number[] = []
      let [asked, left] = [0, 0]
      for (const step of taken) {
        if (step === 'enter') {
          const id = asked++
          const place = places.enter()
          if (place) void place.then(() => entered.push(id))
          else entered.push(id)
        } else if (left < entered.length) {
          left++
          places.leave()
        }
        await nextTurn()
        expect(entered).toEqual(Array.from({ length: Math.min(asked, left + limit) }, (_, id) => id))
        expect(places.running).toBe(entered.length - left)
      }
    }),
  )
})

test('never more tasks than the limit, in order, and a failure frees its place', async () => {
  const inFlight = new InFlight(3)
  let [running, most] = [0, 0]
  const order: number[] = []
  const tasks = Array.from({ length: 20 }, (_, at) =>
    inFlight
      .run(async () => {
        most = Math.max(most, ++running)
        order.push(at)
        await new Promise(setImmediate)
        running--
        if (at % 4 === 0) throw new Error(`${at}`)
      })
      .catch(() => {}),
  )
  await Promise.all(tasks)
  expect([most, running, inFlight.running]).toEqual([3, 0, 0])
  expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
})
