/**
 * Keys of what the store has yet to be given, each once, in the order in which they came. A Set that is cleared is made
 * anew, and once one of those was promoted, each keeps the one after it (docs/decisions/0015).
 */
export class Unwritten<Key> {
  #keys: Key[]

  constructor(keys: Iterable<Key> = []) {
    this.#keys = [...keys]
  }

  get isEmpty(): boolean {
    return this.#keys.length === 0
  }

  /** A batch changes few of them: to look through all costs less than any index. */
  add(key: Key): void {
    if (!this.#keys.includes(key)) this.#keys.push(key)
  }

  /** All of them, which are written from here on. */
  drain(): readonly Key[] {
    const keys = this.#keys
    this.#keys = []
    return keys
  }
}
