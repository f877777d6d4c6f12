import { expect, test } from 'vitest'
import { systemClock } from './clock.ts'

test('after 0 ms whatever could go on has had its turn, and no more time than that has passed', async () => {
  const told: string[] = []
  setImmediate(() => told.push('an answer that waited'))
  void Promise.resolve().then(() => told.push('a promise'))
  setTimeout(() => told.push('a timer'), 1_000).unref()
  await systemClock.sleep(0)
  expect(told).toEqual(['a promise', 'an answer that waited'])
})

test('an abort ends a sleep at once, whenever it comes', async () => {
  await systemClock.sleep(1_000_000, AbortSignal.abort())
  await systemClock.sleep(0, AbortSignal.abort())
  const stop = new AbortController()
  const slept = systemClock.sleep(1_000_000, stop.signal)
  stop.abort()
  await slept
})
