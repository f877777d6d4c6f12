import { cqlMigrations } from '../../../schemas/cql/migrations.ts'
import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlRow,
  type CqlStatement,
  CqlTuple,
  type CqlValue,
  CqlVarint,
  type NodeGenerations,
} from '../port.ts'
import { shapeOf } from '../table-shape.ts'

type Written = { readonly value: CqlValue; readonly timestamp: bigint }
type StoredRow = {
  readonly key: CqlRow
  readonly columns: Map<string, Written>
  /** When the row itself was inserted, and when it was deleted last; -1 for never. */
  inserted: bigint
  deleted: bigint
}
/** All rows of all tables at one moment. */
export type StoreImage = ReadonlyMap<string, ReadonlyMap<string, StoredRow>>

type Table = { readonly keys: readonly string[]; readonly rows: Map<string, StoredRow> }
type Hooks = {
  /** Before a write is applied; may wait, or throw what the store would answer. */
  onWrite?: (statements: readonly CqlStatement[]) => Promise<void> | void
  onQuery?: (cql: string, params: readonly CqlParam[]) => Promise<void> | void
}

/**
 * The store in memory, for tests: the migrations' tables, last write wins per column by its timestamp, equal
 * timestamps by the larger value, a tombstone before both. It understands the few forms of CQL that the services use,
 * refuses all others and every write without a timestamp, and lists each key that got two values at one timestamp.
 */
export class MemoryStore implements CqlPort {
  readonly hooks: Hooks = {}
  /** Two different values at one timestamp: what no writer may ever do. */
  readonly ties: string[] = []
  /** Every write in the order in which it was applied. */
  readonly log: CqlStatement[] = []
  nodes: Map<string, number | null> = new Map([['node-1', 1]])
  syncMs: number | null = null
  readonly #tables = new Map<string, Table>()

  constructor() {
    for (const [name, type] of shapeOf(cqlMigrations.flatMap(each => each.statements))) {
      const [table = '', column = ''] = name.split('.')
      if (type.endsWith(' field')) continue
      const isKey = /(partition_key|clustering) \d+$/.test(type)
      const found = this.#tables.get(table) ?? { keys: [], rows: new Map() }
      this.#tables.set(table, isKey ? { ...found, keys: [...found.keys, column] } : found)
    }
  }

  /** A copy of everything; `restore` is a power loss back to it. */
  image(): StoreImage {
    return new Map([...this.#tables].map(([name, { rows }]) => [name, copyRows(rows)]))
  }

  restore(image: StoreImage): void {
    for (const [name, table] of this.#tables) {
      table.rows.clear()
      for (const [key, row] of copyRows(image.get(name) ?? new Map())) table.rows.set(key, row)
    }
  }

  /** Sets each row of one table back to how it is in an image of its own, chosen by its place. */
  mix(table: string, imageOf: (at: number) => StoreImage): void {
    const { rows } = this.#table(table)
    for (const [at, id] of [...rows.keys()].entries()) {
      const before = imageOf(at).get(table)?.get(id)
      if (before) rows.set(id, { ...before, columns: new Map(before.columns) })
      else rows.delete(id)
    }
  }

  /** Live rows of a table as plain objects, with `_at`: the highest timestamp in each. */
  rows(table: string): CqlRow[] {
    return [...this.#table(table).rows.values()].filter(isLive).map(row => shown(row))
  }

  async query(cql: string, params: readonly CqlParam[] = []): Promise<readonly CqlRow[]> {
    await this.hooks.onQuery?.(cql, params)
    const match = /^SELECT (.+) FROM (\w+)(?: WHERE (.+?))?(?: LIMIT (\d+))?$/.exec(cql)
    if (!match) throw new CqlFailure('refused', 'syntax', `the memory store does not know: ${cql}`)
    const [, columns = '', table = '', where, limit] = match
    const tests = where?.split(' AND ').map(each => /^(\w+) (=|<=) \?$/.exec(each) ?? []) ?? []
    const wanted = columns.split(', ')
    const found = this.rows(table).filter(row =>
      tests.every(([, name = '', how], at) => {
        const [value, bound] = [row[name], params[at]]
        return how === '=' ? value === bound : (value as bigint) <= (bound as bigint)
      }),
    )
    // Such columns are in descending order.
    const order = tests.find(([, , how]) => how === '<=')?.[1]
    if (order !== undefined) found.sort((a, b) => Number((b[order] as bigint) - (a[order] as bigint)))
    return found
      .slice(0, limit === undefined ? undefined : Number(limit))
      .map(row => Object.fromEntries(wanted.map(name => [name, row[name] ?? null])))
  }

  async *scan(cql: string, params: readonly CqlParam[] = []): AsyncIterable<CqlRow> {
    yield* await this.query(cql, params)
  }

  async write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw new CqlFailure('aborted', 'aborted', 'aborted')
    await Promise.race([this.hooks.onWrite?.(statements), aborted(signal)])
    for (const statement of statements) this.apply(statement)
  }

  /** Applies a write at once; also what a late or repeated one does. */
  apply(statement: CqlStatement): void {
    this.log.push(statement)
    const { cql, params } = statement
    const insert = /^INSERT INTO (\w+) \((.+)\) VALUES \((?:\?(?:, )?)+\) USING TIMESTAMP \?$/.exec(cql)
    if (insert) return this.#insert(insert[1] ?? '', (insert[2] ?? '').split(', '), params)
    const erase = /^DELETE FROM (\w+) USING TIMESTAMP \? WHERE (.+)$/.exec(cql)
    if (erase) return this.#delete(erase[1] ?? '', (erase[2] ?? '').split(' AND '), params)
    throw new CqlFailure('refused', 'syntax', `the memory store does not know: ${cql}`)
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

  #insert(table: string, columns: readonly string[], params: readonly CqlParam[]): void {
    const timestamp = params[columns.length] as bigint
    const values = new Map(columns.map((name, at) => [name, plainValue(params[at] as CqlParam)]))
    const row = this.#row(table, name => values.get(name) ?? null)
    row.inserted = row.inserted > timestamp ? row.inserted : timestamp
    for (const [name, value] of values) {
      if (name in row.key || value === null) continue
      const before = row.columns.get(name)
      if (before?.timestamp === timestamp && text(before.value) !== text(value))
        this.ties.push(`${table} ${text(row.key)} ${name} at ${timestamp}: ${text(before.value)} and ${text(value)}`)
      if (
        !before ||
        before.timestamp < timestamp ||
        (before.timestamp === timestamp && text(before.value) < text(value))
      )
        row.columns.set(name, { value, timestamp })
    }
    if (row.deleted === timestamp) this.ties.push(`${table} ${text(row.key)} inserted and deleted at ${timestamp}`)
  }

  #delete(table: string, where: readonly string[], params: readonly CqlParam[]): void {
    const timestamp = params[0] as bigint
    const keys = new Map(
      where.map((each, at) => [/^(\w+) = \?$/.exec(each)?.[1] ?? '', plainValue(params[at + 1] as CqlParam)]),
    )
    const row = this.#row(table, name => keys.get(name) ?? null)
    if (row.inserted === timestamp) this.ties.push(`${table} ${text(row.key)} inserted and deleted at ${timestamp}`)
    row.deleted = row.deleted > timestamp ? row.deleted : timestamp
  }

  #row(table: string, keyOf: (column: string) => CqlValue): StoredRow {
    const { keys, rows } = this.#table(table)
    const key = Object.fromEntries(keys.map(name => [name, keyOf(name)]))
    const id = text(key)
    let row = rows.get(id)
    if (!row) rows.set(id, (row = { key, columns: new Map(), inserted: -1n, deleted: -1n }))
    return row
  }

  #table(name: string): Table {
    const table = this.#tables.get(name)
    if (!table) throw new CqlFailure('refused', 'invalid', `there is no table ${name}`)
    return table
  }
}

const aborted = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(new CqlFailure('aborted', 'aborted', 'aborted')), { once: true }),
  )

const copyRows = (rows: ReadonlyMap<string, StoredRow>): Map<string, StoredRow> =>
  new Map([...rows].map(([key, row]) => [key, { ...row, columns: new Map(row.columns) }]))

const isLive = (row: StoredRow): boolean =>
  row.inserted > row.deleted || [...row.columns.values()].some(each => each.timestamp > row.deleted)

const shown = ({ key, columns, inserted, deleted }: StoredRow): CqlRow => {
  const live = [...columns].filter(([, each]) => each.timestamp > deleted)
  const at = live.reduce((most, [, { timestamp }]) => (timestamp > most ? timestamp : most), inserted)
  return { ...key, ...Object.fromEntries(live.map(([name, { value }]) => [name, value])), _at: at }
}

/** What a column gives back for a parameter. */
const plainValue = (param: CqlParam): CqlValue => {
  if (param === null || typeof param !== 'object' || Buffer.isBuffer(param)) return param
  if (param instanceof CqlVarint) return param.value
  if (param instanceof CqlTuple) return param.elements.map(plainValue)
  if (Array.isArray(param)) return param.length === 0 ? null : (param as readonly CqlParam[]).map(plainValue)
  if (param instanceof Map)
    return param.size === 0
      ? null
      : new Map(
          [...(param as ReadonlyMap<CqlParam, CqlParam>)].map(([key, value]) => [plainValue(key), plainValue(value)]),
        )
  return Object.fromEntries(
    Object.entries(param as Record<string, CqlParam>).map(([name, value]) => [name, plainValue(value)]),
  )
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? `${each}n` : each instanceof Map ? [...each] : each,
  )
