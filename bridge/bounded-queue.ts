/** A queue bounded by count and bytes. Whoever adds looks at `full` before reading more. */
export class BoundedQueue<T extends { readonly bytes: number }> {
  readonly #maxCount: number
  readonly #maxBytes: number
  #items: T[] = []
  #bytes = 0
  #waiting: PromiseWithResolvers<void> | null = null

  constructor({ maxCount, maxBytes }: { readonly maxCount: number; readonly maxBytes: number }) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#items.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes an item even when full: what was read already has to go somewhere. */
  add(item: T): void {
    this.#items.push(item)
    this.#bytes += item.bytes
    this.wake()
  }

  some(condition: (item: T) => boolean): boolean {
    return this.#items.some(condition)
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
  changed(): Promise<void> {
    this.#waiting ??= Promise.withResolvers<void>()
    return this.#waiting.promise
  }

  /** Makes whoever waits for a change look again, for instance because it is time to stop. */
  wake(): void {
    this.#waiting?.resolve()
    this.#waiting = null
  }
}
