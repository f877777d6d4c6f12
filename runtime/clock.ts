import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/** Time, handed to each service so that a simulated world can own it. */
export interface Clock {
  /** Wall clock, µs since the epoch. */
  nowUs(): bigint
  /** Monotonic milliseconds, for intervals and bounds. */
  monotonicMs(): number
  /**
   * Resolves after `ms`, or at once when the signal is or becomes aborted; never rejects. After 0 ms everything that could
   * go on without time passing has had its turn.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  // Date.now follows a wall clock that is set; performance.timeOrigin does not.
  nowUs: () => BigInt(Date.now()) * 1000n,
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    const options = signal ? { signal } : {}
    try {
      await (ms > 0 ? delay(ms, undefined, options) : nextTurn(undefined, options))
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  },
}
