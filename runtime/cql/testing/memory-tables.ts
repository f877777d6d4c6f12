import type { CqlParam, CqlRow } from '../port.ts'
import {
  type ColumnWrite,
  compareValues,
  keysOf,
  type Mutation,
  type Selection,
  selectionOf,
  textOf,
} from './cql-text.ts'

type Written = ColumnWrite & { readonly timestamp: bigint }

/** A row with everything that decides what of it is seen. */
export type StoredRow = {
  readonly key: CqlRow
  readonly columns: Map<string, Written>
  /** When the row itself was inserted, and when it was deleted last; -1 for never. */
  inserted: bigint
  deleted: bigint
}

type Partition = Map<string, StoredRow>
type Table = Map<string, Partition>

/**
 * The tables as one replica has them: last write wins per column by its timestamp, equal timestamps by the larger value,
 * a tombstone before both.
 */
export class MemoryTables {
  readonly #tables = new Map<string, Table>()
  readonly #onTie: (what: string) => void

  /** `onTie`: told of two different values at one timestamp, which no writer may ever send. */
  constructor(onTie: (what: string) => void) {
    this.#onTie = onTie
  }

  apply({ table, key, partition, row: id, timestamp, columns }: Mutation): void {
    const rows = this.#partition(table, partition)
    let row = rows.get(id)
    if (!row) rows.set(id, (row = { key, columns: new Map(), inserted: -1n, deleted: -1n }))
    const where = (): string => `${table} ${partition}${id}`
    if (columns === null) {
      if (row.inserted === timestamp) this.#onTie(`${where()} inserted and deleted at ${timestamp}`)
      if (timestamp > row.deleted) row.deleted = timestamp
      return
    }
    if (row.deleted === timestamp) this.#onTie(`${where()} inserted and deleted at ${timestamp}`)
    if (timestamp > row.inserted) row.inserted = timestamp
    for (const column of columns) this.#write(row, { ...column, timestamp }, where)
  }

  /** Takes in a row as another replica has it. */
  merge(table: string, partition: string, id: string, other: StoredRow): void {
    const rows = this.#partition(table, partition)
    rows.set(id, merged(rows.get(id), other))
  }

  #write(row: StoredRow, written: Written, where: () => string): void {
    const before = row.columns.get(written.name)
    if (before?.timestamp === written.timestamp && before.text !== written.text)
      this.#onTie(`${where()} ${written.name} at ${written.timestamp}: ${before.text} and ${written.text}`)
    if (wins(written, before)) row.columns.set(written.name, written)
  }

  row(table: string, partition: string, id: string): StoredRow | undefined {
    return this.#tables.get(table)?.get(partition)?.get(id)
  }

  partition(table: string, partition: string): ReadonlyMap<string, StoredRow> | undefined {
    return this.#tables.get(table)?.get(partition)
  }

  partitions(table: string): Iterable<string> {
    return this.#tables.get(table)?.keys() ?? []
  }

  clear(): void {
    this.#tables.clear()
  }

  #partition(table: string, partition: string): Partition {
    let found = this.#tables.get(table)
    if (!found) this.#tables.set(table, (found = new Map()))
    let rows = found.get(partition)
    if (!rows) found.set(partition, (rows = new Map()))
    return rows
  }
}

const wins = (written: Written, before: Written | undefined): boolean =>
  !before ||
  before.timestamp < written.timestamp ||
  (before.timestamp === written.timestamp && before.text < written.text)

/** What two replicas together say of a row. */
const merged = (one: StoredRow | undefined, other: StoredRow): StoredRow => {
  const columns = new Map(other.columns)
  for (const [name, written] of one?.columns ?? []) if (wins(written, columns.get(name))) columns.set(name, written)
  const { inserted = -1n, deleted = -1n } = one ?? {}
  return {
    key: other.key,
    columns,
    inserted: inserted > other.inserted ? inserted : other.inserted,
    deleted: deleted > other.deleted ? deleted : other.deleted,
  }
}

/** Whether two replicas have the same of a row. */
export const sameRow = (a: StoredRow | undefined, b: StoredRow | undefined): boolean => {
  if (!a || !b || a.inserted !== b.inserted || a.deleted !== b.deleted || a.columns.size !== b.columns.size)
    return false
  for (const [name, { timestamp, text }] of a.columns) {
    const other = b.columns.get(name)
    if (other?.timestamp !== timestamp || other.text !== text) return false
  }
  return true
}

/** What a reader of these replicas sees of one partition. */
const partitionOf = (
  replicas: readonly MemoryTables[],
  table: string,
  partition: string,
): ReadonlyMap<string, StoredRow> => {
  const [first, ...others] = replicas.map(replica => replica.partition(table, partition))
  if (others.length === 0) return first ?? new Map()
  const rows = new Map(first)
  for (const other of others) for (const [id, row] of other ?? []) rows.set(id, merged(rows.get(id), row))
  return rows
}

const isLive = (row: StoredRow): boolean =>
  row.inserted > row.deleted || [...row.columns.values()].some(each => each.timestamp > row.deleted)

/** A live row as a plain object, with `_at`: the highest timestamp in it. */
export const shownRow = ({ key, columns, inserted, deleted }: StoredRow): CqlRow => {
  const live = [...columns.values()].filter(each => each.timestamp > deleted)
  const at = live.reduce((most, { timestamp }) => (timestamp > most ? timestamp : most), inserted)
  return { ...key, ...Object.fromEntries(live.map(({ name, value }) => [name, value])), _at: at }
}

/** The partitions that a selection looks at: one when it names the whole key, else all. */
const chosenPartitions = (replicas: readonly MemoryTables[], { table, where }: Selection): Iterable<string> => {
  const { partition } = keysOf(table)
  const named = partition.map(column => where.find(each => each.column === column && each.operator === '='))
  if (named.every(each => each !== undefined))
    return [textOf(Object.fromEntries(partition.map((name, at) => [name, named[at]?.value])))]
  return new Set(replicas.flatMap(replica => [...replica.partitions(table)]))
}

const fits = (row: CqlRow, { where }: Selection): boolean =>
  where.every(({ column, operator, value }) => {
    const order = compareValues(row[column] ?? null, value)
    switch (operator) {
      case '=':
        return order === 0
      case '<':
        return order < 0
      case '<=':
        return order <= 0
      case '>':
        return order > 0
      case '>=':
        return order >= 0
    }
  })

/** The rows of all partitions of a table that these replicas together have, each partition in its own order. */
export function* liveRows(
  replicas: readonly MemoryTables[],
  table: string,
  partitions: Iterable<string> = new Set(replicas.flatMap(replica => [...replica.partitions(table)])),
): Generator<StoredRow> {
  const { clustering, descending } = keysOf(table)
  const inOrder = (a: StoredRow, b: StoredRow): number => {
    for (const [at, column] of clustering.entries()) {
      const order = compareValues(a.key[column] ?? null, b.key[column] ?? null)
      if (order !== 0) return descending[at] ? -order : order
    }
    return 0
  }
  for (const partition of partitions)
    yield* [...partitionOf(replicas, table, partition).values()].filter(isLive).sort(inOrder)
}

/** Answers a SELECT as a reader of these replicas sees it, and tells which partitions were looked at. */
export const select = (
  replicas: readonly MemoryTables[],
  cql: string,
  params: readonly CqlParam[],
): { readonly rows: readonly CqlRow[]; readonly table: string; readonly partitions: readonly string[] } => {
  const selection = selectionOf(cql, params)
  const partitions = [...chosenPartitions(replicas, selection)]
  const rows: CqlRow[] = []
  for (const stored of liveRows(replicas, selection.table, partitions)) {
    if (selection.limit !== null && rows.length === selection.limit) break
    const row = shownRow(stored)
    if (!fits(row, selection)) continue
    const shown = selection.shown.map(({ as, column, writetime }) => [
      as,
      writetime ? (stored.columns.get(column)?.timestamp ?? null) : (row[column] ?? null),
    ])
    rows.push(Object.fromEntries(shown) as CqlRow)
  }
  return { rows, table: selection.table, partitions }
}
