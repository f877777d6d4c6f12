import { migrations } from '../../schemas/starrocks/migrations.ts'
import { type Column, normalType, type Table, tables } from '../../schemas/starrocks/tables.ts'
import { refuse, type Stop } from '../stop.ts'
import { appliedMigrations, checkOwner, type DatabaseOwner, isMissingDatabase } from './migrate.ts'
import type { SqlPort, SqlRow } from './sql-port.ts'

const wayOut = 'run: settle init'

/**
 * Checks at start that a stream's database is there, whose it is, that every migration was applied, and that each
 * table still has the columns that the migrations gave it. More columns than ours are fine if they may be NULL.
 * @throws Stop naming table, column, what was expected and what was found; SqlFailure
 */
export const checkDatabase = async (sql: SqlPort, owner: DatabaseOwner): Promise<void> => {
  const { database } = owner
  const applied = await appliedMigrations(sql, database).catch((error: unknown) => {
    throw isMissingDatabase(error) ? missing(`StarRocks has no database ${database}`) : error
  })
  for (const { version, name } of migrations)
    if (!applied.has(version)) throw missing(`StarRocks database ${database}: migration ${name} is not applied`)
  if ((await checkOwner(sql, owner)) === 'nobody')
    throw missing(`StarRocks database ${database} does not say whose it is (table stream_meta)`)
  const found = await foundColumns(sql, database)
  for (const table of tables.values()) checkTable(table, found.get(table.name) ?? [], database)
}

const missing = (what: string): Stop => refuse('schema-missing', `${what}; ${wayOut}`)

const foundColumns = async (sql: SqlPort, database: string): Promise<ReadonlyMap<string, readonly SqlRow[]>> => {
  const rows = await sql.query(
    'SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, COLUMN_TYPE AS column_type, IS_NULLABLE AS is_nullable, COLUMN_KEY AS column_key ' +
      'FROM information_schema.columns WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION',
    [database],
  )
  return Map.groupBy(rows, row => String(row['table_name']))
}

const checkTable = (table: Table, rows: readonly SqlRow[], database: string): void => {
  const drift = (column: string, expected: string, found: string): Stop =>
    refuse(
      'schema-drift',
      `StarRocks table ${database}.${table.name}, column ${column}: expected ${expected}, found ${found}; ` +
        `undo the change, or drop the table, ${wayOut} and load it again from the start`,
      { table: table.name, column, expected, found },
    )
  const found = new Map(rows.map(row => [String(row['column_name']), row]))
  for (const column of table.columns) {
    const row = found.get(column.name)
    const expected = described(column)
    const actual = row ? describedRow(row) : 'nothing'
    if (actual !== expected) throw drift(column.name, expected, actual)
    found.delete(column.name)
  }
  for (const [name, row] of found)
    if (row['is_nullable'] !== 'YES') throw drift(name, 'no such column, or one that may be NULL', describedRow(row))
  const key = rows.filter(row => row['column_key'] === 'PRI').map(row => row['column_name'])
  if (key.join() !== table.key.join()) throw drift('(key)', table.key.join(', '), key.join(', '))
}

const described = ({ type, nullable }: Column): string => `${type} ${nullable ? 'NULL' : 'NOT NULL'}`
const describedRow = (row: SqlRow): string =>
  `${normalType(String(row['column_type']))} ${row['is_nullable'] === 'YES' ? 'NULL' : 'NOT NULL'}`
