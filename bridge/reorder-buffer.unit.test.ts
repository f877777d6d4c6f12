import { expect, test } from 'vitest'
import { ReorderBuffer } from './reorder-buffer.ts'

const out = (seq: number, payload = Buffer.alloc(10)) =>
  ({ kind: 'OUT', at: { epoch: 1n, random: 2n, seq: BigInt(seq), chain: null }, payload }) as const

test.each([
  ['count', { maxCount: 2, maxBytes: 1000 }],
  ['bytes', { maxCount: 1000, maxBytes: 29 }],
])('what waits is bounded by %s, and what is taken or forgotten makes room', (_, bounds) => {
  const buffer = new ReorderBuffer(bounds)
  expect([5, 6, 7].map(seq => buffer.add(out(seq)))).toEqual(['kept', 'kept', 'buffer-full'])
  expect(buffer.take(5n)?.at.seq).toBe(5n)
  expect([7, 8].map(seq => buffer.add(out(seq)))).toEqual(['kept', 'buffer-full'])
  buffer.dropTo(6n)
  expect([8, 9].map(seq => buffer.add(out(seq)))).toEqual(['kept', 'buffer-full'])
  expect(buffer.count).toBe(2)
})

test('what waits is a copy: the memory it came in is used again', () => {
  const buffer = new ReorderBuffer({ maxCount: 2, maxBytes: 1000 })
  const payload = Buffer.from('five')
  buffer.add(out(5, payload))
  payload.fill(0)
  expect(buffer.take(5n)?.payload.toString()).toBe('five')
})
