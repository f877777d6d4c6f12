/**
 * Seeded random numbers (sfc32), made anew for each step of a flow from (seed, step): a flow needs to remember only
 * its step to go on after a restart. Integers and exact float operations only, so every machine draws the same.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor({ seed, step }: { readonly seed: bigint; readonly step: number }) {
    this.#a = Number(BigInt.asUintN(32, seed)) | 0
    this.#b = (Number(BigInt.asUintN(32, seed >> 32n)) ^ Math.imul(Math.floor(step / 2 ** 32) + 1, 0x9e3779b1)) | 0
    this.#c = step | 0
    for (let i = 0; i < 12; i++) this.uint32()
  }

  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t
    return t >>> 0
  }

  /** In [0, 1). */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** An integer in [0, limit); limit at most 2^32. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** An integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }
}
