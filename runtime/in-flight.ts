/** At most so many at once; the rest wait in order. */
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

  /** Takes a place that `leave` gives back: null when there is one now, else what resolves when there is. */
  enter(): Promise<void> | null {
    if (this.#running >= this.#limit) return new Promise(resolve => this.#waiting.push(resolve))
    this.#running++
    return null
  }

  leave(): void {
    // The place passes on directly, so that a newcomer can't overtake those that wait.
    const next = this.#waiting.shift()
    if (next) next()
    else this.#running--
  }
}
