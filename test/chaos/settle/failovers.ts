import type { Witness } from '../crew.ts'
import { sessionTimeoutMs } from '../service-faults.ts'

/** Within so long half of the fail-overs must be over, each with its slowest partition. */
export const barMs = 12_000

/** One SIGKILL of an owner: how long until each partition that it had was written again. */
export type Failover = {
  readonly process: string
  readonly atMs: number
  /** By partition; null: nobody has yet. */
  readonly partitions: ReadonlyMap<number, number | null>
  /** What stood in its way besides; empty when it was a fail-over and nothing else. */
  readonly disturbedBy: ReadonlySet<string>
}

type Pending = Omit<Failover, 'disturbedBy'> & { readonly partitions: Map<number, number | null> }

/** Something that a fail-over waits for, and from when until when it is felt. */
type Hit = { readonly what: string; readonly fromMs: number; untilMs: number }

/**
 * From the SIGKILL of an owner to the first write of its partitions that the store acknowledged to the next one, as the
 * processes tell it: `partition opened`, then `first batch acknowledged` (history and cells). A partition whose next
 * owner dies before that goes on counting from the first death, and is disturbed by the second.
 *
 * The group's coordinator lets nobody take over before the session of the dead is over, and gives nothing away before
 * each member has come back to it or is out: what befalls any of them from then on is in the way, whoever would be next.
 */
export class Failovers implements Witness {
  readonly #nowMs: () => number
  readonly #owners = new Map<number, string>()
  /** Killed, and not started again: what is still read of them was written before. */
  readonly #dead = new Set<string>()
  readonly #failovers: Pending[] = []
  readonly #hits: Hit[] = []
  /** Asked to stop, and still there. */
  readonly #stopping = new Map<string, Hit>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

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

  acknowledged(process: string, partition: number): void {
    if (this.#dead.has(process)) return
    for (const { atMs, partitions } of this.#failovers)
      if (partitions.get(partition) === null) partitions.set(partition, this.#nowMs() - atMs)
  }

  /** By us, with SIGKILL, at one moment: the group misses all of them together. */
  killed(processes: readonly string[]): void {
    const atMs = this.#nowMs()
    for (const process of processes) {
      this.#dead.add(process)
      // The group waits for it until its session is over.
      this.#hits.push({ what: `${process} killed`, fromMs: atMs, untilMs: atMs + sessionTimeoutMs })
      const had = this.#forget(process)
      if (had.length > 0)
        this.#failovers.push({ process, atMs, partitions: new Map(had.map(partition => [partition, null])) })
    }
  }

  /** By us, with SIGTERM: it is waited for until it has left. */
  stopped(process: string): void {
    if (!this.#stopping.has(process)) this.#stopping.set(process, this.#hit(`${process} stopped`))
  }

  /** However it ended: it owns nothing any more. */
  ended(process: string): void {
    this.#forget(process)
    const stop = this.#stopping.get(process)
    if (stop) stop.untilMs = this.#nowMs()
    this.#stopping.delete(process)
  }

  /** Waited for until it goes on, or its session is over. */
  async frozen(process: string, wait: Promise<unknown>): Promise<void> {
    const hit = this.#hit(`${process} frozen`)
    hit.untilMs = hit.fromMs + sessionTimeoutMs
    await wait
    hit.untilMs = Math.min(hit.untilMs, this.#nowMs())
  }

  /** The broker, the store's quorum or the group are not what they should be: until it is over, and a while longer. */
  async during<T>(what: string, work: Promise<T>, { lingersMs = 0 } = {}): Promise<T> {
    const hit = this.#hit(what)
    try {
      return await work
    } finally {
      hit.untilMs = this.#nowMs() + lingersMs
    }
  }

  owns(process: string): boolean {
    return this.#owned(process).length > 0
  }

  /** Whether so many partitions are owned, by so many processes at least, and whoever was killed has been replaced. */
  isOver({ partitions, owners }: { readonly partitions: number; readonly owners: number }): boolean {
    return (
      this.#owners.size === partitions &&
      new Set(this.#owners.values()).size >= owners &&
      this.#failovers.every(failover => slowest(failover) !== null)
    )
  }

  /** All SIGKILLs that hit an owner, oldest first. */
  get all(): readonly Failover[] {
    return this.#failovers.map(failover => ({ ...failover, disturbedBy: this.#disturbing(failover) }))
  }

  /** What was felt between the end of the dead's session and the last write. What comes once the bar has passed excuses nothing. */
  #disturbing(failover: Pending): ReadonlySet<string> {
    const fromMs = failover.atMs + sessionTimeoutMs
    const toMs = failover.atMs + Math.min(slowest(failover) ?? barMs, barMs)
    return new Set(this.#hits.filter(hit => hit.untilMs > fromMs && hit.fromMs < toMs).map(({ what }) => what))
  }

  #hit(what: string): Hit {
    const hit = { what, fromMs: this.#nowMs(), untilMs: Number.POSITIVE_INFINITY }
    this.#hits.push(hit)
    return hit
  }

  #owned(process: string): readonly number[] {
    return [...this.#owners].flatMap(([partition, owner]) => (owner === process ? [partition] : []))
  }

  #forget(process: string): readonly number[] {
    const had = this.#owned(process)
    for (const partition of had) this.#owners.delete(partition)
    return had
  }
}

/** When the last partition of an owner was written again; null while one was not. */
export const slowest = ({ partitions }: Pick<Failover, 'partitions'>): number | null => {
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
