/** Who was given records and has not asked for more: he works on them, and asks when he has done. */
export class AwaitedReaders {
  readonly #forgetAfterMs: number
  readonly #givenMs = new Map<string, number>()

  /** A reader that was closed never asks again, and says nothing: he is awaited so long. */
  constructor({ forgetAfterMs }: { readonly forgetAfterMs: number }) {
    this.#forgetAfterMs = forgetAfterMs
  }

  given(reader: string, nowMs: number): void {
    this.#givenMs.set(reader, nowMs)
  }

  asked(reader: string): void {
    this.#givenMs.delete(reader)
  }

  /** Whether anyone is. */
  any(nowMs: number): boolean {
    for (const [reader, givenMs] of this.#givenMs)
      if (nowMs - givenMs > this.#forgetAfterMs) this.#givenMs.delete(reader)
    return this.#givenMs.size > 0
  }
}
