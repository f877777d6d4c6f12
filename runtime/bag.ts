/** What `Bag.add` gives and `Bag.remove` takes. */
export type Kept<T> = { readonly value: T; at: number }

/**
 * A few things in no order, each in and out again thousands of times a second. A Set would do, but is made anew all the
 * time then, and each of those is kept by the one before until a full collection (`cql/operation-slots.ts`).
 */
export class Bag<T> {
  readonly #kept: Kept<T>[] = []

  add(value: T): Kept<T> {
    const kept = { value, at: this.#kept.length }
    this.#kept.push(kept)
    return kept
  }

  /** Once for each. */
  remove(kept: Kept<T>): void {
    const last = this.#kept.pop() as Kept<T>
    if (last === kept) return
    last.at = kept.at
    this.#kept[kept.at] = last
  }

  /** What is in it now. */
  values(): readonly T[] {
    return this.#kept.map(({ value }) => value)
  }
}
