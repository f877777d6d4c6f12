import type { Pos } from '../core/ids.ts'
import type { Clock } from '../runtime/clock.ts'
import { refuse } from '../runtime/stop.ts'

export type ClockLimits = {
  /** A stamp may move pos by so much without proof that our clock is right. */
  readonly jumpMs: number
  /** Two clocks agree when they are no further apart. */
  readonly toleranceMs: number
  /** How long a heartbeat that agrees is waited for. */
  readonly waitMs: number
  /** A heartbeat tells the engine's time for so long. */
  readonly freshMs: number
  readonly pollMs: number
}

type Parts = {
  readonly clock: Clock
  /** The broker's clock, ms since 1970. Rejects with KafkaFailure. */
  readonly brokerTimeMs: () => Promise<bigint>
  readonly limits: ClockLimits
}

const usPerMs = 1000n
const usOf = (ms: number): bigint => BigInt(Math.round(ms * 1000))
const distance = (a: bigint, b: bigint): bigint => (a > b ? a - b : b - a)

/**
 * Keeps a wrong clock out of pos, which never goes back: before a stamp moves pos by more than a limit, our clock must
 * agree with the engine's live heartbeat and with the broker. The same when our clock has run away from the monotonic
 * one, or a clock that creeps would move pos as far in small steps.
 */
export class ClockGuard {
  readonly #parts: Parts
  #told: { readonly clockUs: bigint; readonly atMs: number } | null = null
  #anchor: { readonly wallUs: bigint; readonly atMs: number }
  #waiting = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#anchor = this.#now()
  }

  /** True while a heartbeat is waited for: the live socket must be read though nothing can be queued. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** µs by which our clock is ahead of the engine's, by its last heartbeat; null before the first, or when it is old. */
  get aheadOfEngineUs(): bigint | null {
    const engineUs = this.#engineUs()
    return engineUs === null ? null : this.#parts.clock.nowUs() - engineUs
  }

  /** The engine's clock, int64 µs, as a live heartbeat brought it just now. */
  heard(clockUs: bigint): void {
    this.#told = { clockUs, atMs: this.#parts.clock.monotonicMs() }
  }

  /** Whether a stamp of `nowUs` after `pos` needs proof first. */
  needsProof(pos: Pos, nowUs: bigint): boolean {
    if (nowUs <= pos) return false
    const jumpUs = usOf(this.#parts.limits.jumpMs)
    const { wallUs, atMs } = this.#anchor
    const expectedUs = wallUs + usOf(this.#parts.clock.monotonicMs() - atMs)
    return nowUs - pos > jumpUs || distance(nowUs, expectedUs) > jumpUs
  }

  /**
   * Compares our clock with the engine's and the broker's.
   * @returns `silent` when no heartbeat was heard within the wait, or the signal was aborted: nothing is proven
   * @throws Stop `clock-in-doubt`, and KafkaFailure when the broker can't be asked
   */
  async prove(signal: AbortSignal): Promise<'right' | 'silent'> {
    this.#waiting = true
    try {
      if ((await this.#engineAgrees(signal)) === 'silent') return 'silent'
    } finally {
      this.#waiting = false
    }
    await this.#brokerAgrees()
    this.#anchor = this.#now()
    return 'right'
  }

  async #engineAgrees(signal: AbortSignal): Promise<'yes' | 'silent'> {
    const { clock, limits } = this.#parts
    const untilMs = clock.monotonicMs() + limits.waitMs
    for (;;) {
      const ahead = this.aheadOfEngineUs
      if (ahead !== null && distance(ahead, 0n) <= usOf(limits.toleranceMs)) return 'yes'
      if (clock.monotonicMs() >= untilMs || signal.aborted) {
        if (ahead === null || signal.aborted) return 'silent'
        // A heartbeat that was held up looks like a slow clock, so one that agrees was waited for.
        throw this.#doubt('the engine’s by its heartbeat', ahead)
      }
      await clock.sleep(limits.pollMs, signal)
    }
  }

  async #brokerAgrees(): Promise<void> {
    const { clock, brokerTimeMs, limits } = this.#parts
    const askedMs = clock.monotonicMs()
    const brokerUs = (await brokerTimeMs()) * usPerMs
    // The answer is as old as its way back, at most as long as all of it took.
    const slackUs = usOf(clock.monotonicMs() - askedMs)
    const ahead = clock.nowUs() - brokerUs
    if (distance(ahead, 0n) > usOf(limits.toleranceMs) + slackUs) throw this.#doubt('the Kafka broker’s', ahead)
  }

  #doubt(whose: string, aheadUs: bigint): Error {
    const seconds = (Number(aheadUs < 0n ? -aheadUs : aheadUs) / 1e6).toFixed(1)
    return refuse(
      'clock-in-doubt',
      `this machine's clock is ${seconds} s ${aheadUs > 0n ? 'ahead of' : 'behind'} ${whose}, and pos would move by more than CLOCK_JUMP_MS=${this.#parts.limits.jumpMs} with it; it is not stamped. Set the clocks right (NTP), then start the bridge again`,
      { aheadUs, toleranceMs: this.#parts.limits.toleranceMs },
    )
  }

  #engineUs(): bigint | null {
    const { clock, limits } = this.#parts
    if (!this.#told) return null
    const ageMs = clock.monotonicMs() - this.#told.atMs
    return ageMs > limits.freshMs ? null : this.#told.clockUs + usOf(ageMs)
  }

  #now(): { readonly wallUs: bigint; readonly atMs: number } {
    return { wallUs: this.#parts.clock.nowUs(), atMs: this.#parts.clock.monotonicMs() }
  }
}
