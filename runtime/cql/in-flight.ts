/** At most so many at once; the rest wait in order. The driver itself has no backpressure: it refuses or drowns. */
export class InFlight {
  readonly #limit: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get running(): number {
    return this.#running
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await task()
    } finally {
      // The place passes on directly, so that a newcomer can't overtake those that wait.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
