import type { Mutation } from './cql-text.ts'
import { MemoryTables, type StoredRow } from './memory-tables.ts'

type LogEntry =
  | { readonly kind: 'write'; readonly mutation: Mutation }
  | {
      readonly kind: 'repair'
      readonly table: string
      readonly partition: string
      readonly id: string
      readonly row: StoredRow
    }

/**
 * One replica: what it has in memory, and how much of its commit log is on the disk. A process that dies loses nothing,
 * a node that loses its power goes back to its last sync.
 */
export class MemoryNode {
  readonly name: string
  readonly tables: MemoryTables
  /** When it was started last, in s since 1970; changes at a restart only. */
  generation: number
  #state: 'up' | 'cut off' | 'dead' = 'up'
  readonly #log: LogEntry[] = []
  #synced = 0

  constructor(options: {
    readonly name: string
    readonly generation: number
  }) {
    this.name = options.name
    this.generation = options.generation
    this.tables = new MemoryTables(() => {})
  }

  /** Whether it can be reached. */
  get isUp(): boolean {
    return this.#state === 'up'
  }

  apply(mutation: Mutation): void {
    this.#take({ kind: 'write', mutation })
  }

  /** Takes in a row as another replica has it. */
  repair(table: string, partition: string, id: string, { columns, ...row }: StoredRow): void {
    this.#take({ kind: 'repair', table, partition, id, row: { ...row, columns: new Map(columns) } })
  }

  /**
   * The commit log is brought to the disk, unless the node is dead: no power loss takes that back. `seen` is told of each
   * write.
   */
  sync(seen: (mutation: Mutation) => void = () => {}): void {
    if (this.#state === 'dead') return
    for (; this.#synced < this.#log.length; this.#synced++) {
      const entry = this.#log[this.#synced] as LogEntry
      if (entry.kind === 'write') seen(entry.mutation)
    }
  }

  /** Nothing reaches it, and nothing is wrong with it. */
  cutOff(): void {
    this.#state = 'cut off'
  }

  /** Back after it was cut off: it never restarted. */
  reconnect(): void {
    if (this.#state === 'cut off') this.#state = 'up'
  }

  /** Its process dies; what it has taken stays. */
  kill(): void {
    this.#state = 'dead'
  }

  /** Everything since its last sync is gone, and it is dead. Returns how many writes that were. */
  losePower(): number {
    const lost = this.#log.length - this.#synced
    this.#log.length = this.#synced
    this.#state = 'dead'
    this.tables.clear()
    for (const entry of this.#log) this.#apply(entry)
    return lost
  }

  /** Starts again, in another life. */
  restart(generation: number): void {
    if (this.#state !== 'dead') return
    this.generation = Math.max(this.generation + 1, generation)
    this.#state = 'up'
  }

  #take(entry: LogEntry): void {
    this.#log.push(entry)
    this.#apply(entry)
  }

  #apply(entry: LogEntry): void {
    if (entry.kind === 'write') this.tables.apply(entry.mutation)
    else this.tables.merge(entry.table, entry.partition, entry.id, entry.row)
  }
}
