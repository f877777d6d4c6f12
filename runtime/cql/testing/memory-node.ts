import type { Mutation } from './cql-text.ts'
import { MemoryTables, type StoredRow } from './memory-tables.ts'

/** Does again what was written, to these tables. */
type LogEntry = (tables: MemoryTables) => void

/**
 * One replica: what it has in memory, and how much of its commit log is on the disk. A process that dies loses nothing,
 * a node that loses its power goes back to its last sync.
 */
export class MemoryNode {
  readonly name: string
  readonly tables: MemoryTables
  /** When it was started last, in s since 1970; changes at a restart only. */
  generation: number
  #isUp = true
  readonly #log: LogEntry[] = []
  #synced = 0
  /** Writes that are on the disk: no power loss takes them back. */
  readonly durable: MemoryTables

  constructor(options: {
    readonly name: string
    readonly generation: number
  }) {
    this.name = options.name
    this.generation = options.generation
    this.tables = new MemoryTables(() => {})
    this.durable = new MemoryTables(() => {})
  }

  /** Whether it can be reached. */
  get isUp(): boolean {
    return this.#isUp
  }

  apply(mutation: Mutation): void {
    this.#write(tables => tables.apply(mutation))
  }

  /** Takes in a row as another replica has it. */
  repair(table: string, partition: string, id: string, { columns, ...row }: StoredRow): void {
    const copy = { ...row, columns: new Map(columns) }
    this.#write(tables => tables.merge(table, partition, id, copy))
  }

  /** The commit log is brought to the disk. */
  sync(): void {
    for (; this.#synced < this.#log.length; this.#synced++) this.#log[this.#synced]?.(this.durable)
  }

  /** Cut off, or dead: nothing reaches it. */
  down(): void {
    this.#isUp = false
  }

  /** Back after it was cut off: it never restarted. */
  reconnect(): void {
    this.#isUp = true
  }

  /** Started again with everything it had taken. */
  restart(generation: number): void {
    this.generation = Math.max(this.generation + 1, generation)
    this.#isUp = true
  }

  /** Everything since its last sync is gone; it is down until it is started again. Returns how many writes that were. */
  losePower(): number {
    const lost = this.#log.length - this.#synced
    this.#log.length = this.#synced
    this.#isUp = false
    this.tables.clear()
    for (const entry of this.#log) entry(this.tables)
    return lost
  }

  #write(entry: LogEntry): void {
    this.#log.push(entry)
    entry(this.tables)
  }
}
