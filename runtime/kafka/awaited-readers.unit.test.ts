import { describe, expect, it } from 'vitest'
import { AwaitedReaders } from './awaited-readers.ts'

describe('AwaitedReaders', () => {
  it('awaits whoever was given records until he asks again', () => {
    const readers = new AwaitedReaders({ forgetAfterMs: 1000 })
    expect(readers.any(0)).toBe(false)
    readers.given('a', 0)
    readers.given('b', 0)
    readers.asked('a')
    expect(readers.any(1)).toBe(true)
    readers.asked('b')
    expect(readers.any(2)).toBe(false)
  })

  it('forgets him who does not', () => {
    const readers = new AwaitedReaders({ forgetAfterMs: 1000 })
    readers.given('a', 0)
    readers.given('b', 500)
    expect(readers.any(1000)).toBe(true)
    expect(readers.any(1001)).toBe(true)
    readers.asked('b')
    expect(readers.any(1001)).toBe(false)
  })
})
