/** Contradictions found, in words: the first ones in full, the rest by number only, so that a broken log can't fill memory. */
export class ProblemList {
  readonly #limit: number
  readonly #texts: string[] = []
  #count = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(text: string): void {
    this.#count++
    if (this.#texts.length < this.#limit) this.#texts.push(text)
  }

  get count(): number {
    return this.#count
  }

  get texts(): readonly string[] {
    return this.#texts
  }
}
