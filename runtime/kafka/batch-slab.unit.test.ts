import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isKept, packBatch, unpackBatch } from './batch-slab.ts'
import type { OutgoingRecord } from './port.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array))
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constantFrom('a', 'b', 'c'),
  partition: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  key: fc.option(bytes),
  value: bytes,
  timestampMs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
})
const batches = fc.array(fc.array(record, { maxLength: 30 }), { maxLength: 4 })

it('a batch is the same on the other side, in fresh memory and in memory of an earlier one', () => {
  fc.assert(
    fc.property(batches, all => {
      let used: ArrayBuffer | null = null
      for (const records of all) {
        const packed = packBatch(records, used)
        // As it arrives in another thread: the memory itself, and the rest copied.
        const arrived = structuredClone(packed, { transfer: [packed.slab] })
        expect(unpackBatch(arrived)).toEqual(records)
        used = arrived.slab
      }
    }),
  )
})

it('memory that is large enough is used again, and a larger batch than usual leaves none behind', () => {
  const of = (size: number): OutgoingRecord[] => [
    { topic: 'a', partition: 0, key: null, value: Buffer.alloc(size, 1), timestampMs: 1n },
  ]
  const first = packBatch(of(10), null).slab
  expect(isKept(first)).toBe(true)
  expect(packBatch(of(1000), first).slab).toBe(first)
  const large = packBatch(of(3 * 1024 * 1024), first)
  expect(large.slab).not.toBe(first)
  expect(unpackBatch(large).map(({ value }) => value.equals(Buffer.alloc(3 * 1024 * 1024, 1)))).toEqual([true])
  expect(isKept(large.slab)).toBe(false)
})
