import { describe, expect, it } from 'vitest'
import { pos, userId } from '../../core/ids.ts'
import { RecordQueue, type WaitingRecord } from './record-queue.ts'

const recordOf = (offset: number): WaitingRecord => ({
  offset: BigInt(offset),
  pos: pos(BigInt(offset) * 1000n),
  user: offset % 4 === 0 ? null : userId(BigInt(offset % 2)),
  hasOrders: offset % 3 === 1,
  value: Buffer.from(`record ${offset}`.repeat(offset % 3)),
})
const records = (from: number, to: number): WaitingRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => recordOf(from + index))
/** As the reader hands them on. */
const read = (waiting: readonly WaitingRecord[]) =>
  waiting.map(({ offset, value, ...record }) => ({ offset, value, record }))

describe('records that wait', () => {
  it('come out in the order in which they went in, however they came and are taken', () => {
    const queue = new RecordQueue()
    queue.add(read(records(1, 4)))
    queue.add([])
    queue.add(read(records(5, 5)))
    queue.add(read(records(6, 12)))
    expect(queue.length).toBe(12)
    expect([...queue.take(3)]).toEqual(records(1, 3))
    expect([...queue.take(5)]).toEqual(records(4, 8))
    queue.add(read(records(13, 14)))
    expect(queue.length).toBe(6)
    expect([...queue.take(100)]).toEqual(records(9, 14))
    expect(queue.take(100)).toHaveLength(0)
    expect(queue.length).toBe(0)
  })

  it('are there each time that they are gone through, with or without their bytes, until they are let go of', () => {
    const queue = new RecordQueue()
    queue.add(read(records(1, 3)))
    queue.add(read(records(4, 9)))
    const taken = queue.take(5)
    expect(taken.length).toBe(5)
    expect([...taken.outlines()]).toEqual(records(1, 5).map(({ pos, user, hasOrders }) => ({ pos, user, hasOrders })))
    expect([...taken]).toEqual(records(1, 5))
    taken.clear()
    expect([...taken]).toEqual([])
    expect([...queue.take(100)]).toEqual(records(6, 9))
  })

  it('are copies: what they came in may be used again', () => {
    const queue = new RecordQueue()
    const came = records(7, 7)
    queue.add(read(came))
    came[0]?.value.fill(0)
    expect([...queue.take(1)]).toEqual(records(7, 7))
  })

  it('have offsets, places and users of any size', () => {
    const queue = new RecordQueue()
    const most = 2n ** 63n - 1n
    const far = { ...recordOf(1), offset: most, pos: pos(most), user: userId(most) }
    queue.add(read([far]))
    expect([...queue.take(1)]).toEqual([far])
  })
})
