import { setTimeout as delay } from 'node:timers/promises'

/** Time, handed to each service so that a simulated world can own it. */
export interface Clock {
  /** Wall clock, µs since the epoch. */
  nowUs(): bigint
  /** Monotonic milliseconds, for intervals and bounds. */
  monotonicMs(): number
  /** Resolves after `ms`, or at once when the signal is or becomes aborted; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  // Date.now follows a wall clock that is set; performance.timeOrigin does not.
  nowUs: () => BigInt(Date.now()) * 1000n,
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  },
}
