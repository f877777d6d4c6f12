export type ReplayLimits = {
  /** Outputs asked for by one replay request. */
  readonly replayCount: bigint
  /** A request that brings nothing for this long is made again, later each time up to the maximum. */
  readonly replayTimeoutMs: number
  readonly replayTimeoutMaxMs: number
}

/** When to ask for a replay, and for how much: one request at a time, later and later while nothing comes. */
export class ReplayPacer {
  readonly #limits: ReplayLimits
  /** The last request, until it is answered. */
  #request: { readonly askedMs: number; readonly waitMs: number; readonly to: bigint } | null = null
  #waitMs: number
  #fruitless = 0

  constructor(limits: ReplayLimits) {
    this.#limits = limits
    this.#waitMs = limits.replayTimeoutMs
  }

  /** Requests in a row that brought nothing. */
  get fruitless(): number {
    return this.#fruitless
  }

  /** The last seq to ask for with a request made now, or null while one is under way. */
  next(from: bigint, nowMs: number): bigint | null {
    if (this.#request && nowMs - this.#request.askedMs < this.#request.waitMs) return null
    if (this.#request) {
      this.#waitMs = Math.min(this.#waitMs * 2, this.#limits.replayTimeoutMaxMs)
      this.#fruitless++
    }
    // Whatever is here already comes again and is dropped: with many holes one answer fills them all.
    const to = from + this.#limits.replayCount - 1n
    this.#request = { askedMs: nowMs, waitMs: this.#waitMs, to }
    return to
  }

  /** What is under way made progress: it is not late yet. */
  progress(nowMs: number): void {
    this.#begun()
    if (this.#request) this.#request = { ...this.#request, askedMs: nowMs, waitMs: this.#waitMs }
  }

  /** What is under way was not read for a while: it is not late because of that. */
  heldUp(nowMs: number): void {
    if (this.#request) this.#request = { ...this.#request, askedMs: nowMs }
  }

  /**
   * An answer has ended, with everything up to `seq` taken. The end of an earlier answer, or of one that was lost on its
   * way, is not the end of the last: to ask again at each would keep two answers on their way for ever.
   */
  answered(seq: bigint): void {
    if (this.#request && seq >= this.#request.to) this.#request = null
  }

  /** Another session, or another place in it: what is under way no longer matters. */
  reset(): void {
    this.#request = null
    this.#begun()
  }

  #begun(): void {
    this.#waitMs = this.#limits.replayTimeoutMs
    this.#fruitless = 0
  }
}
