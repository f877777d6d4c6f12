import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bag, type Kept } from './bag.ts'

test('it holds what was added and not removed, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), steps => {
      const bag = new Bag<number>()
      const kept: Kept<number>[] = []
      for (const [at, step] of steps.entries()) {
        // Every third step takes one out, if there is one.
        if (step % 3 === 0 && kept.length > 0) bag.remove(kept.splice(step % kept.length, 1)[0] as Kept<number>)
        else kept.push(bag.add(at))
        expect(new Set(bag.values())).toEqual(new Set(kept.map(({ value }) => value)))
        expect(bag.values()).toHaveLength(kept.length)
      }
    }),
  )
})
