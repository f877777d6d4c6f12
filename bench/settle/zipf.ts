import type { Random } from '../../sim/engine/flow/random.ts'

/** Draws a rank from 0 with a likelihood that falls as 1 / (rank + 1)^exponent: few users trade most. */
export class Zipf {
  readonly #cumulative: Float64Array

  constructor({ count, exponent }: { readonly count: number; readonly exponent: number }) {
    this.#cumulative = new Float64Array(count)
    let sum = 0
    for (let rank = 0; rank < count; rank++) this.#cumulative[rank] = sum += 1 / (rank + 1) ** exponent
  }

  draw(random: Random): number {
    const at = random.fraction() * (this.#cumulative.at(-1) as number)
    let low = 0
    let high = this.#cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#cumulative[middle] as number) > at) high = middle
      else low = middle + 1
    }
    return low
  }
}
