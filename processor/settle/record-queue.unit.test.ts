import { describe, expect, it } from 'vitest'
import { RecordQueue, type WaitingRecord } from './record-queue.ts'

const recordOf = (offset: number): WaitingRecord => ({
  offset: BigInt(offset),
  value: Buffer.from(`record ${offset}`.repeat(offset % 3)),
})
const records = (from: number, to: number): WaitingRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => recordOf(from + index))

describe('records that wait', () => {
  it('come out in the order in which they went in, however they came and are taken', () => {
    const queue = new RecordQueue()
    queue.add(records(1, 4))
    queue.add([])
    queue.add(records(5, 5))
    queue.add(records(6, 12))
    expect(queue.length).toBe(12)
    expect(queue.take(3)).toEqual(records(1, 3))
    expect(queue.take(5)).toEqual(records(4, 8))
    queue.add(records(13, 14))
    expect(queue.length).toBe(6)
    expect(queue.take(100)).toEqual(records(9, 14))
    expect(queue.take(100)).toEqual([])
    expect(queue.length).toBe(0)
  })

  it('are copies: what they came in may be used again', () => {
    const queue = new RecordQueue()
    const [first] = records(7, 7) as [WaitingRecord]
    queue.add([first])
    first.value.fill(0)
    expect(queue.take(1)).toEqual(records(7, 7))
  })

  it('have offsets of any size', () => {
    const queue = new RecordQueue()
    const far = { offset: 2n ** 63n - 1n, value: Buffer.from('far') }
    queue.add([far])
    expect(queue.take(1)).toEqual([far])
  })
})
