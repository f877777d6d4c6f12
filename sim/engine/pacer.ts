import { setTimeout as pause } from 'node:timers/promises'

export type PacerSettings = {
  /** Outputs a second; 0: no limit. */
  readonly rate: number
  /** Outputs that may be sent and not acknowledged; 0: no limit. */
  readonly maxUnacked: number
  readonly maxGroup: number
}

/** How long one look at the bounds may last before it is repeated: nothing waits on a lost signal. */
const lookAgainMs = 100

/** Says how many outputs may be made now: the rate, and no further ahead of the ACKs than allowed. */
export class Pacer {
  readonly #settings: PacerSettings
  readonly #nowMs: () => number
  #allowedAtMs: number
  #wake: () => void = () => {}

  constructor(settings: PacerSettings, nowMs: () => number) {
    this.#settings = settings
    this.#nowMs = nowMs
    this.#allowedAtMs = nowMs()
  }

  /** How many outputs may be made now, 0 for none yet. */
  room(unacked: bigint): number {
    const { rate, maxUnacked, maxGroup } = this.#settings
    const byAcks = maxUnacked === 0 ? maxGroup : Math.max(0, maxUnacked - Number(unacked))
    if (rate === 0) return Math.min(maxGroup, byAcks)
    const now = this.#nowMs()
    // After a pause it goes on at the rate; it doesn't catch up in a burst of more than a tenth of a second.
    this.#allowedAtMs = Math.max(this.#allowedAtMs, now - 100)
    const byRate = Math.floor(((now - this.#allowedAtMs) / 1_000) * rate)
    return Math.min(maxGroup, byAcks, byRate)
  }

  /** Counts outputs that were made. */
  made(outputs: number): void {
    const { rate } = this.#settings
    if (rate > 0) this.#allowedAtMs += (outputs / rate) * 1_000
  }

  /** Waits until looking again may help. */
  async wait(): Promise<void> {
    const { rate } = this.#settings
    const dueMs = rate === 0 ? lookAgainMs : this.#allowedAtMs + 1_000 / rate - this.#nowMs()
    const abort = new AbortController()
    this.#wake = () => abort.abort()
    await pause(Math.min(lookAgainMs, Math.max(2, dueMs)), undefined, { signal: abort.signal }).catch(() => {})
  }

  /** Something changed: look again. */
  wake(): void {
    this.#wake()
  }
}
