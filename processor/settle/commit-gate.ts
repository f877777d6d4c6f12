import type { Progress } from '../../runtime/reader/progress.ts'
import { settleLimits } from './limits.ts'

/**
 * Barriers whose writes are acknowledged, until they are old enough to be committed: an acknowledged write is on the
 * store's disks only after its next commit-log sync.
 */
export class CommitGate {
  readonly #holdMs: number
  #held: { readonly progress: Progress; readonly acknowledgedMs: number }[] = []

  /** `holdMs`: the store's sync period and a margin. */
  constructor({ holdMs }: { readonly holdMs: number }) {
    this.#holdMs = holdMs
  }

  get held(): number {
    return this.#held.length
  }

  /** All writes up to this barrier were acknowledged at this moment (`monotonicMs`). */
  acknowledged(progress: Progress, nowMs: number): void {
    // Thinned out when nothing can be committed for very long: the newest is the one that counts.
    if (this.#held.length >= settleLimits.heldBarriers) this.#held = this.#held.filter((_, at) => at % 2 === 0)
    this.#held.push({ progress, acknowledgedMs: nowMs })
  }

  /** The newest barrier that may be committed now, with the moment since when; null when none may. */
  due(nowMs: number): { readonly progress: Progress; readonly sinceMs: number } | null {
    const ripe = this.#held.findLast(each => each.acknowledgedMs + this.#holdMs <= nowMs)
    return ripe ? { progress: ripe.progress, sinceMs: ripe.acknowledgedMs + this.#holdMs } : null
  }

  /** Committed: it and everything before it is done with. */
  passed(progress: Progress): void {
    this.#held = this.#held.filter(each => each.progress.offset > progress.offset)
  }
}
