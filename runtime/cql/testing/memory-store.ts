import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlRow,
  type CqlStatement,
  type NodeGenerations,
} from '../port.ts'
import { mutationOf, tableKeys } from './cql-text.ts'
import { liveRows, MemoryTables, select, shownRow, type StoredRow } from './memory-tables.ts'
import { scanAtOnce } from './scan-at-once.ts'

/** All rows of all tables at one moment, by table, partition and row. */
export type StoreImage = ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, StoredRow>>>

type Hooks = {
  /** Before a write is applied; may wait, or throw what the store would answer. */
  onWrite?: (statements: readonly CqlStatement[]) => Promise<void> | void
  onQuery?: (cql: string, params: readonly CqlParam[]) => Promise<void> | void
}

/**
 * A store of one replica in memory, for tests: the migrations' tables. It refuses every write without a timestamp, and
 * lists each key that got two values at one timestamp.
 */
export class MemoryStore implements CqlPort {
  readonly hooks: Hooks = {}
  /** Two different values at one timestamp: what no writer may ever do. */
  readonly ties: string[] = []
  /** Every write in the order in which it was applied. */
  readonly log: CqlStatement[] = []
  nodes: Map<string, number | null> = new Map([['node-1', 1]])
  syncMs: number | null = null
  #tables = new MemoryTables(tie => this.ties.push(tie))

  /** A copy of everything; `restore` is a power loss back to it. */
  image(): StoreImage {
    return new Map(
      [...tableKeys().keys()].map(table => [
        table,
        new Map(
          [...this.#tables.partitions(table)].map(partition => [
            partition,
            copyRows(this.#tables.partition(table, partition)),
          ]),
        ),
      ]),
    )
  }

  restore(image: StoreImage): void {
    this.#tables.clear()
    for (const [table, partitions] of image)
      for (const [partition, rows] of partitions)
        for (const [id, row] of rows) this.#tables.merge(table, partition, id, row)
  }

  /** Sets each row of one table back to how it is in an image of its own, chosen by its place. */
  mix(table: string, imageOf: (at: number) => StoreImage): void {
    const now = this.image()
    let at = 0
    const mixed = new Map<string, Map<string, StoredRow>>()
    for (const [partition, rows] of now.get(table) ?? []) {
      const chosen = new Map<string, StoredRow>()
      for (const id of rows.keys()) {
        const before = imageOf(at++).get(table)?.get(partition)?.get(id)
        if (before) chosen.set(id, before)
      }
      mixed.set(partition, chosen)
    }
    this.restore(new Map([...now, [table, mixed]]))
  }

  /** Live rows of a table as plain objects, with `_at`: the highest timestamp in each. */
  rows(table: string): CqlRow[] {
    return [...liveRows([this.#tables], table)].map(shownRow)
  }

  async query(cql: string, params: readonly CqlParam[] = [], signal?: AbortSignal): Promise<readonly CqlRow[]> {
    await Promise.race([this.hooks.onQuery?.(cql, params), aborted(signal)])
    return select([this.#tables], cql, params).rows
  }

  scan(...asked: Parameters<CqlPort['scan']>): AsyncIterable<CqlRow> {
    return scanAtOnce(this, asked)
  }

  async write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw new CqlFailure('aborted', 'aborted', 'aborted')
    await Promise.race([this.hooks.onWrite?.(statements), aborted(signal)])
    for (const statement of statements) this.apply(statement)
  }

  /** Applies a write at once; also what a late or repeated one does. */
  apply(statement: CqlStatement): void {
    this.log.push(statement)
    this.#tables.apply(mutationOf(statement))
  }

  pack(statement: CqlStatement): CqlStatement {
    return statement
  }
  define(): Promise<void> {
    return Promise.reject(new CqlFailure('refused', 'syntax', 'the memory store has its tables already'))
  }
  nodeGenerations(): Promise<NodeGenerations> {
    return Promise.resolve(new Map(this.nodes))
  }
  commitLogSyncMs(): Promise<number | null> {
    return Promise.resolve(this.syncMs)
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
}

const aborted = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(new CqlFailure('aborted', 'aborted', 'aborted')), { once: true }),
  )

const copyRows = (rows: ReadonlyMap<string, StoredRow> | undefined): Map<string, StoredRow> =>
  new Map([...(rows ?? [])].map(([id, row]) => [id, { ...row, columns: new Map(row.columns) }]))
