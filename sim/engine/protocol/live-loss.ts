import { Random } from '../flow/random.ts'

export type LiveLossSettings = {
  readonly seed: bigint
  /** Which life of the engine this is: each loses others. */
  readonly epoch: bigint
  /** Share of all frames, in percent. */
  readonly percent: number
}

/** A burst is 1 … this many frames long. */
const longestBurst = 64
const meanBurst = (1 + longestBurst) / 2

/** Which live frames get lost, in bursts as a full socket loses them, decided by seed and session alone. */
export class LiveLoss {
  readonly #settings: LiveLossSettings
  #step = 0
  #left = 0
  #lost = 0

  constructor(settings: LiveLossSettings) {
    this.#settings = settings
  }

  get lost(): number {
    return this.#lost
  }

  /** Whether the next frame gets lost. */
  loses(): boolean {
    const { seed, epoch, percent } = this.#settings
    if (percent === 0) return false
    if (this.#left === 0) {
      const random = new Random({ seed: seed ^ (epoch << 32n), step: this.#step++ })
      // Solved for: the mean burst, over itself and the mean run of frames that get through, is the share.
      const isBurst = random.fraction() < percent / (percent + (100 - percent) * meanBurst)
      if (!isBurst) return false
      this.#left = random.between(1, longestBurst)
    }
    this.#left--
    this.#lost++
    return true
  }
}
