/** One holder at a time per key, first come first served, with a bounded queue. */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>()
  readonly #maxWaiters: number
  #waiting = 0

  constructor(options: { maxWaiters: number }) {
    this.#maxWaiters = options.maxWaiters
  }

  /** Runs `work` once everyone before it on `key` is done. @throws Error when the queue is full */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#maxWaiters) {
      throw new Error(`too many wait for a table's lock (${this.#maxWaiters}); send fewer loads at once`)
    }
    const before = this.#tails.get(key) ?? Promise.resolve()
    const { promise: tail, resolve: release } = Promise.withResolvers<void>()
    this.#tails.set(key, tail)
    this.#waiting += 1
    await before
    this.#waiting -= 1
    try {
      return await work()
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
      release()
    }
  }
}
