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
