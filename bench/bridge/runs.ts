import type { Quantiles } from '../statistics.ts'

/** What the feeders are told; both know the same two runs. */
export type Run =
  /** As fast as the other side takes it, for so long; `count` outputs are made for it, and it ends early without them. */
  | { readonly kind: 'burst'; readonly count: number; readonly warmUpMs: number; readonly measureMs: number }
  /** At a fixed rate, whatever the other side does. The first `warmUp` outputs are not measured. */
  | { readonly kind: 'paced'; readonly count: number; readonly warmUp: number; readonly perSecond: number }

export type Burst = { readonly perSecond: number; readonly count: number; readonly cpuUsPerOutput: number }
export type Paced = { readonly count: number; readonly latencyMs: Quantiles }

/** Outputs sent and not yet acknowledged: what one ZeroMQ socket holds at most, so that live loses nothing. */
export const windowCount = 10_000

/** The rate between the first and the last step within a span of time: start and end of a run weigh nothing. */
export class SteadyRate {
  readonly #fromMs: number
  readonly endMs: number
  #first: { readonly done: number; readonly ms: number } | null = null
  #last: { readonly done: number; readonly ms: number } | null = null

  constructor({ startMs, warmUpMs, measureMs }: { startMs: number; warmUpMs: number; measureMs: number }) {
    this.#fromMs = startMs + warmUpMs
    this.endMs = this.#fromMs + measureMs
  }

  reached(done: number, ms: number): void {
    if (ms < this.#fromMs || ms > this.endMs) return
    this.#first ??= { done, ms }
    this.#last = { done, ms }
  }

  /** @throws RangeError when the span saw no two steps */
  get perSecond(): number {
    if (this.#first === null || this.#last === null || this.#last.ms === this.#first.ms)
      throw new RangeError('too few steps within the measured time to tell a rate')
    return ((this.#last.done - this.#first.done) * 1000) / (this.#last.ms - this.#first.ms)
  }
}
