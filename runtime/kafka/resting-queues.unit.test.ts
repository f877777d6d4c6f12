import { expect, test, vi } from 'vitest'
import { letEmptyQueuesRest, RequestQueue } from './resting-queues.ts'

test('an empty queue of requests rests; one that has to wait for its turn is looked at again', () => {
  letEmptyQueuesRest()
  vi.useFakeTimers()
  try {
    const logger = { namespace: () => ({ debug: () => {} }) }
    const queue = new RequestQueue({ maxInFlightRequests: 1, requestTimeout: 1000, logger, clientId: 'c', broker: 'b' })
    queue.scheduleCheckPendingRequests()
    expect(vi.getTimerCount()).toBe(0)
    ;(queue.pending as unknown[]).push({})
    queue.scheduleCheckPendingRequests()
    expect(vi.getTimerCount()).toBe(1)
  } finally {
    vi.useRealTimers()
  }
})
