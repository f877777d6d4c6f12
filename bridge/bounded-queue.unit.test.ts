import { describe, expect, it } from 'vitest'
import { BoundedQueue } from './bounded-queue.ts'

const item = (bytes: number): { readonly bytes: number } => ({ bytes })

describe('a bounded queue', () => {
  it('is full by count or by bytes', () => {
    const queue = new BoundedQueue({ maxCount: 2, maxBytes: 100 })
    queue.add(item(10))
    expect(queue.full).toBe(false)
    queue.add(item(10))
    expect(queue.full).toBe(true)
    queue.take({ maxCount: 2, maxBytes: 100 })
    expect(queue.full).toBe(false)
    queue.add(item(100))
    expect(queue.full).toBe(true)
  })

  it('gives the oldest within bounds, and one that is alone too large', () => {
    const queue = new BoundedQueue({ maxCount: 9, maxBytes: 1000 })
    for (const bytes of [300, 10, 20, 30]) queue.add(item(bytes))
    expect(queue.take({ maxCount: 9, maxBytes: 100 })).toEqual([item(300)])
    expect(queue.take({ maxCount: 2, maxBytes: 100 })).toEqual([item(10), item(20)])
    expect(queue.count).toBe(1)
  })

  it('tells of each change', async () => {
    const queue = new BoundedQueue({ maxCount: 9, maxBytes: 1000 })
    const changed = queue.changed()
    queue.add(item(1))
    await expect(changed).resolves.toBeUndefined()
  })
})
