import { Random } from '../engine/flow/random.ts'

/** Chances of one kind within a seed: what is drawn for one purpose moves nothing that is drawn for another. */
export class Dice {
  readonly #random: Random

  constructor(seed: number, purpose: string) {
    let step = 0
    for (const char of purpose) step = (Math.imul(step, 31) + char.charCodeAt(0)) >>> 0
    this.#random = new Random({ seed: BigInt(seed), step })
  }

  chance(probability: number): boolean {
    // Nothing is drawn for what can't happen.
    return probability > 0 && this.#random.fraction() < probability
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return this.#random.below(limit)
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return this.#random.between(low, high)
  }

  pick<T>(choices: readonly [T, ...T[]]): T
  pick<T>(choices: readonly T[]): T | undefined
  pick<T>(choices: readonly T[]): T | undefined {
    return choices[this.#random.below(choices.length)]
  }

  shuffled<T>(values: readonly T[]): T[] {
    const all = [...values]
    for (let at = all.length - 1; at > 0; at--) {
      const other = this.#random.below(at + 1)
      ;[all[at], all[other]] = [all[other] as T, all[at] as T]
    }
    return all
  }

  u64(): bigint {
    return (BigInt(this.#random.uint32()) << 32n) | BigInt(this.#random.uint32())
  }
}
