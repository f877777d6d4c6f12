/** A queue bounded by count and bytes: `space` resolves when there is room, `filled` when there is something. */
export class BoundedQueue<T extends { readonly bytes: number }> {
  readonly #maxCount: number
  readonly #maxBytes: number
  #items: T[] = []
  #bytes = 0
  #changed: PromiseWithResolvers<void> = Promise.withResolvers<void>()

  constructor({ maxCount, maxBytes }: { readonly maxCount: number; readonly maxBytes: number }) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#items.length
  }

  /** Takes an item even when full: whoever adds waits for `space` before reading more. */
  add(item: T): void {
    this.#items.push(item)
    this.#bytes += item.bytes
    this.wake()
  }

  /** The oldest items within the bounds; at least one when there is any. */
  take({ maxCount, maxBytes }: { readonly maxCount: number; readonly maxBytes: number }): readonly T[] {
    let bytes = 0
    let count = 0
    for (const item of this.#items) {
      if (count > 0 && (count === maxCount || bytes + item.bytes > maxBytes)) break
      bytes += item.bytes
      count++
    }
    const taken = this.#items.slice(0, count)
    this.#items = this.#items.slice(count)
    this.#bytes -= bytes
    this.wake()
    return taken
  }

  get full(): boolean {
    return this.#items.length >= this.#maxCount || this.#bytes >= this.#maxBytes
  }

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Makes whoever waits for a change look again, for instance because it is time to stop. */
  wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}
