import type { Pos } from '../../core/ids.ts'

/** Somebody who wants a place for a batch of this partition, whose first record is at `oldest`. */
type Claim = {
  readonly partition: number
  readonly oldest: Pos
  /** Aborted when the batch is no longer wanted. */
  readonly signal: AbortSignal
}

type Waiting = Claim & { readonly go: () => void }

/**
 * The batches under way at once, over all partitions of a process. A place that becomes free goes to whose records are
 * the oldest, so that all partitions come to the same time in the log together. In turns, a partition with a third of
 * all records, as the one that fees go to, would be left alone at the end of a backlog, and alone it can't keep the
 * store busy. While others wait no partition gets more than half of the places: one that is hours behind holds up nobody
 * else's users.
 */
export class BatchPlaces {
  readonly #places: number
  /** In the order in which they came. */
  #waiting: readonly Waiting[] = []
  /** How many each partition has. */
  readonly #taken = new Map<number, number>()
  #free: number

  constructor(places: number) {
    this.#places = places
    this.#free = places
  }

  /** Takes a place that `leave` gives back: null when there is one now, else what resolves when there is. */
  enter(claim: Claim): Promise<void> | null {
    if (this.#free === 0)
      return new Promise(go => {
        this.#waiting = [...this.#waiting, { ...claim, go }]
      })
    this.#free--
    this.#count(claim.partition, 1)
    return null
  }

  leave(partition: number): void {
    this.#count(partition, -1)
    const next = this.#next()
    if (!next) {
      this.#free++
      return
    }
    this.#waiting = this.#waiting.filter(each => each !== next)
    this.#count(next.partition, 1)
    next.go()
  }

  /** Whoever gave up gives its place back at once. */
  #next(): Waiting | undefined {
    const rank = (each: Waiting): number => (each.signal.aborted ? 0 : this.#hasShare(each.partition) ? 2 : 1)
    const [first, ...others] = this.#waiting
    if (!first) return undefined
    return others.reduce((best, each) => {
      const ranks = rank(each) - rank(best)
      return ranks < 0 || (ranks === 0 && each.oldest < best.oldest) ? each : best
    }, first)
  }

  /** Whether one more would be more than half. */
  #hasShare(partition: number): boolean {
    return 2 * ((this.#taken.get(partition) ?? 0) + 1) > this.#places
  }

  #count(partition: number, change: 1 | -1): void {
    const taken = (this.#taken.get(partition) ?? 0) + change
    if (taken === 0) this.#taken.delete(partition)
    else this.#taken.set(partition, taken)
  }
}
