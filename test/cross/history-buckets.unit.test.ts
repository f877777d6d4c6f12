import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pos, userId } from '../../core/ids.ts'
import { HistoryBuckets } from '../../ops/verify/history-buckets.ts'
import { type Bucket, bucketOf } from '../../processor/settle/history-buckets.ts'

const user = userId(7n)
const records = fc
  .array(fc.record({ step: fc.bigInt(1n, 100_000n), items: fc.integer({ min: 0, max: 12 }) }), { maxLength: 150 })
  .map(steps => {
    let at = 1_700_000_000_000_000n
    return steps.map(({ step, items }) => ({ pos: pos((at += step)), items }))
  })
const rules = fc.record({
  items: fc.integer({ min: 1, max: 60 }),
  oneIn: fc.integer({ min: 1, max: 8 }),
  heavyItems: fc.integer({ min: 1, max: 12 }),
})
/** Where settle starts again, and how far back it reads again. */
const restarts = fc.array(fc.record({ after: fc.nat({ max: 149 }), back: fc.nat({ max: 60 }) }), { maxLength: 5 })

test('settle and verify put every record into the same bucket, wherever settle starts again', () => {
  fc.assert(
    fc.property(records, rules, restarts, (all, chosen, starts) => {
      const verify = new HistoryBuckets(chosen)
      const expected = all.map(each => verify.take(user, each.pos, each.items))
      const index = [...verify.rows()].map(([, bucket, items, at]) => `${bucket} ${items} ${at}`)

      const stored = new Map<bigint, Bucket>()
      const placed = new Map<number, Set<bigint>>()
      const read = (from: number, to: number): void => {
        const first = all[from]
        if (!first) return
        // As `readBucket` finds it.
        let bucket = [...stored.values()].findLast(each => each.from <= first.pos) ?? null
        for (let at = from; at < to; at++) {
          const record = all[at] as (typeof all)[number]
          bucket = bucketOf(bucket, record, chosen)
          const before = stored.get(bucket.from)
          // The store keeps the newest by its timestamp.
          if (!before || before.pos < bucket.pos) stored.set(bucket.from, bucket)
          placed.set(at, (placed.get(at) ?? new Set()).add(bucket.from))
        }
      }
      let reached = 0
      for (const { after, back } of [...starts].sort((a, b) => a.after - b.after)) {
        const to = Math.min(after, all.length)
        read(Math.max(0, Math.min(reached, to) - back), to)
        reached = Math.max(reached, to)
      }
      read(reached, all.length)
      expect(all.map((_, at) => [...(placed.get(at) ?? [])])).toEqual(expected.map(each => [each]))
      expect([...stored.values()].map(each => `${each.from} ${each.items} ${each.pos}`)).toEqual(index)
    }),
    { numRuns: 300 },
  )
})
