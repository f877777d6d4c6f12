import { migrations } from './migrations.ts'

/** Tables that hold what the log says. */
export type TableName =
  | 'assets'
  | 'symbols'
  | 'stream_meta'
  | 'trades'
  | 'user_trades'
  | 'orders'
  | 'order_events'
  | 'ledger'
  | 'balances'

export type Column = {
  readonly name: string
  /** As StarRocks prints it, without the display width of integers: bigint, decimal(38,18), varchar(4), datetime. */
  readonly type: string
  readonly nullable: boolean
}

export type Table = {
  readonly name: string
  readonly columns: readonly Column[]
  readonly key: readonly string[]
}

/** The columns by which a load of a table that changes says which row is the newer one; the larger value stays. */
export const mergeConditions: Readonly<Partial<Record<TableName, string>>> = {
  assets: 'pos',
  symbols: 'pos',
  stream_meta: 'pos',
  orders: 'pos',
  balances: 'version',
}

const columnLine = /^`?(\w+)`? ([A-Z]+(?:\(\d+(?:, ?\d+)?\))?) (NOT NULL|NULL) COMMENT "[^"]*"$/

const columnOf = (line: string, where: string): Column => {
  const [, name, type, nullability] = columnLine.exec(line) ?? []
  if (!name || !type) throw new Error(`${where}: not a column as our migrations write them: ${line}`)
  return { name, type: normalType(type), nullable: nullability === 'NULL' }
}

/** A type as it is written in DDL or printed by information_schema, in the one form that both can be compared in. */
export const normalType = (type: string): string =>
  type
    .toLowerCase()
    .replaceAll(' ', '')
    .replace(/^(tinyint|smallint|int|bigint)\(\d+\)$/, '$1')
    .replace(/^decimal(32|64|128)\(/, 'decimal(')
    .replace(/^string$/, 'varchar(65533)')

const createTable = /^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)\n\)\nPRIMARY KEY \(([^)]*)\)\n/s
const addColumn = /^ALTER TABLE (\w+) ADD COLUMN (.*)$/s

const readTables = (): ReadonlyMap<string, Table> => {
  const found = new Map<string, Table>()
  for (const { name: file, statements } of migrations)
    for (const statement of statements) {
      const [, created, body = '', key = ''] = createTable.exec(statement) ?? []
      const [, altered, added = ''] = addColumn.exec(statement) ?? []
      if (created) {
        const columns = body.split(/,\n/).map(line => columnOf(line.trim(), `${file}, table ${created}`))
        found.set(created, { name: created, columns, key: key.replaceAll('`', '').split(', ') })
      } else if (altered) {
        const before = found.get(altered)
        if (!before) throw new Error(`${file}: adds a column to ${altered}, which no migration before it creates`)
        found.set(altered, { ...before, columns: [...before.columns, columnOf(added.trim(), file)] })
      } else if (!/^CREATE (OR REPLACE |MATERIALIZED )?VIEW /.test(statement)) {
        throw new Error(`${file}: not a statement of our migrations: ${statement.slice(0, 80)}`)
      }
    }
  return found
}

/** Every table of the schema by name, as all migrations together leave it. */
export const tables: ReadonlyMap<string, Table> = readTables()

/** Materialized views in the order in which they are made: one that is made from others comes after them. */
export const viewNames: readonly string[] = migrations
  .flatMap(({ statements }) => statements)
  .flatMap(statement => /^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+)\n/.exec(statement)?.[1] ?? [])

/** @throws Error for a table that no migration creates */
export const tableNamed = (name: TableName): Table => {
  const table = tables.get(name)
  if (!table) throw new Error(`no migration creates table ${name}`)
  return table
}
