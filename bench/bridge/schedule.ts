import { type Quantiles, quantilesOf } from '../statistics.ts'

/**
 * When each output is meant to be sent, and how much later it was done. Counted from the meant time, not from the real
 * one: a sender that is held up must not hide the wait of those behind it.
 */
export class Schedule {
  readonly #startMs: number
  readonly #perSecond: number
  readonly #latencies: Float64Array
  #done = 0

  constructor({ startMs, perSecond, count }: { startMs: number; perSecond: number; count: number }) {
    this.#startMs = startMs
    this.#perSecond = perSecond
    this.#latencies = new Float64Array(count)
  }

  /** How many are meant to have been sent by now. */
  due(nowMs: number): number {
    if (nowMs < this.#startMs) return 0
    return Math.min(this.#latencies.length, Math.floor(((nowMs - this.#startMs) * this.#perSecond) / 1000) + 1)
  }

  /** The first `count` are done. */
  done(count: number, nowMs: number): void {
    for (; this.#done < count; this.#done++)
      this.#latencies[this.#done] = nowMs - this.#startMs - (this.#done * 1000) / this.#perSecond
  }

  get isOver(): boolean {
    return this.#done >= this.#latencies.length
  }

  /** Of all but the first `warmUp`. */
  quantiles(warmUp: number): Quantiles {
    return quantilesOf(this.#latencies.subarray(warmUp))
  }
}
