import type { ReadRecord } from './check-log.ts'

/** How long the log stood still at most, by looks at its end. A look that fails sees no progress. */
export class LogProgress {
  readonly #readLast: () => Promise<ReadRecord | null>
  #isLooking = false
  #lastOffset = -1n
  #movedAtMs: number | null = null
  #longestStallMs = 0

  constructor(readLast: () => Promise<ReadRecord | null>) {
    this.#readLast = readLast
  }

  get longestStallMs(): number {
    return this.#longestStallMs
  }

  /** One look at a time. */
  async look(nowMs: number): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const offset = await this.#readLast().then(
      last => last?.offset ?? -1n,
      () => this.#lastOffset,
    )
    this.#isLooking = false
    this.#movedAtMs ??= nowMs
    this.#longestStallMs = Math.max(this.#longestStallMs, nowMs - this.#movedAtMs)
    if (offset === this.#lastOffset) return
    this.#lastOffset = offset
    this.#movedAtMs = nowMs
  }
}
