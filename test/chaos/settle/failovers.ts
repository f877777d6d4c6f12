/** One SIGKILL of an owner: how long until each partition that it had was written again. */
export type Failover = {
  readonly process: string
  readonly atMs: number
  /** By partition; null: nobody has yet. */
  readonly partitions: ReadonlyMap<number, number | null>
  /** What was away meanwhile that settle can't do without: it waits for that too. */
  readonly outages: ReadonlySet<string>
}

type Pending = Failover & { readonly partitions: Map<number, number | null>; readonly outages: Set<string> }

/**
 * From the SIGKILL of an owner to the first write of its partitions that the store acknowledged to the next one, as the
 * processes tell it: `partition opened`, then `first batch acknowledged` (history and cells). A partition whose next
 * owner dies before that goes on counting from the first death.
 */
export class Failovers {
  readonly #owners = new Map<number, string>()
  /** Killed, and not started again: what is still read of them was written before. */
  readonly #dead = new Set<string>()
  readonly #failovers: Pending[] = []
  readonly #outages = new Set<string>()

  started(process: string): void {
    this.#dead.delete(process)
  }

  /** The partitions that a process has now: all others that it had are somebody else's. */
  assigned(process: string, partitions: readonly number[]): void {
    for (const [partition, owner] of this.#owners)
      if (owner === process && !partitions.includes(partition)) this.#owners.delete(partition)
  }

  opened(process: string, partition: number): void {
    if (!this.#dead.has(process)) this.#owners.set(partition, process)
  }

  acknowledged(process: string, partition: number, nowMs: number): void {
    if (this.#dead.has(process)) return
    for (const { atMs, partitions } of this.#failovers)
      if (partitions.get(partition) === null) partitions.set(partition, nowMs - atMs)
  }

  /** By us, with SIGKILL. */
  killed(process: string, nowMs: number): void {
    this.#dead.add(process)
    const had = this.#forget(process)
    if (had.length === 0) return
    const partitions = new Map(had.map(partition => [partition, null]))
    this.#failovers.push({ process, atMs: nowMs, partitions, outages: new Set(this.#outages) })
  }

  /** The broker or the store's quorum is away for as long as it takes. */
  async during<T>(outage: string, work: Promise<T>): Promise<T> {
    this.#outages.add(outage)
    for (const { partitions, outages } of this.#failovers)
      if ([...partitions.values()].includes(null)) outages.add(outage)
    try {
      return await work
    } finally {
      this.#outages.delete(outage)
    }
  }

  /** However it ended: it owns nothing any more. */
  ended(process: string): void {
    this.#forget(process)
  }

  /** What a process owns now. */
  owned(process: string): readonly number[] {
    return [...this.#owners].flatMap(([partition, owner]) => (owner === process ? [partition] : []))
  }

  /** All SIGKILLs that hit an owner, oldest first. */
  get all(): readonly Failover[] {
    return this.#failovers
  }

  #forget(process: string): readonly number[] {
    const had = this.owned(process)
    for (const partition of had) this.#owners.delete(partition)
    return had
  }
}

/** When the last partition of an owner was written again; null while one was not. */
export const slowest = ({ partitions }: Failover): number | null => {
  let most = 0
  for (const ms of partitions.values()) {
    if (ms === null) return null
    most = Math.max(most, ms)
  }
  return most
}

/** The upper one of two in the middle; null of nothing. */
export const median = (values: readonly number[]): number | null =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null
