import { parseColumnType } from './column-type.ts'
import { analysisError, notSupported, parseError } from './sql-error.ts'
import type { Column, ColumnDefault, TableDefinition } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'
import { readerFor } from './value-reader.ts'

const keyTypes = new Set(['boolean', 'tinyint', 'smallint', 'int', 'bigint', 'largeint', 'varchar', 'date', 'datetime'])

const knownProperties = new Set([
  'replication_num',
  'enable_persistent_index',
  'persistent_index_type',
  'compression',
  'storage_medium',
  'replicated_storage',
  'fast_schema_evolution',
  'bucket_size',
])

/** What stands after `CREATE TABLE name`: the columns, then the clauses in the grammar's order. */
export function parseTableDefinition(cursor: TokenCursor): TableDefinition {
  const columns = cursor.list(() => parseColumnDefinition(cursor))
  if (cursor.take('ENGINE')) {
    cursor.expect('=')
    if (!cursor.take('OLAP')) throw notSupported(`ENGINE ${cursor.peek()?.text ?? ''}`)
  }
  const primaryKey = parsePrimaryKey(cursor)
  const comment = cursor.take('COMMENT') ? cursor.string('a comment') : ''
  const partitionBy = cursor.take('PARTITION', 'BY') ? parsePartition(cursor) : { text: '', columns: [] }
  const { distributedBy, buckets } = parseDistribution(cursor)
  const orderBy = cursor.take('ORDER', 'BY') ? cursor.list(() => cursor.identifier('a column')) : []
  const properties = cursor.take('PROPERTIES') ? parseProperties(cursor, knownProperties) : []
  const definition = {
    columns,
    primaryKey,
    partitionBy: partitionBy.text,
    distributedBy,
    buckets,
    orderBy,
    comment,
    properties,
  }
  checkTable(definition, partitionBy.columns)
  return definition
}

/** `name type [NULL | NOT NULL] [DEFAULT "value" | DEFAULT NULL] [COMMENT "text"]` */
export function parseColumnDefinition(cursor: TokenCursor): Column {
  const name = cursor.identifier('a column name')
  if (name.startsWith('__')) throw analysisError(`column name '${name}' is reserved: it starts with __`)
  const type = parseColumnType(cursor)
  refuseColumnWords(cursor, name)
  const nullability = cursor.take('NOT', 'NULL') ? 'not null' : 'null'
  if (nullability === 'null') cursor.take('NULL')
  refuseColumnWords(cursor, name)
  const column: Column = { name, type, nullability, default: parseDefault(cursor, name), comment: '' }
  checkDefault(column)
  return cursor.take('COMMENT') ? { ...column, comment: cursor.string('a comment') } : column
}

/** What the grammar allows before and after NULL, and the stand-in does not keep. */
function refuseColumnWords(cursor: TokenCursor, column: string): void {
  for (const word of ['KEY', 'SUM', 'MAX', 'MIN', 'REPLACE', 'AUTO_INCREMENT', 'AS']) {
    if (cursor.looksAt(word)) throw notSupported(`${word} on column '${column}'`)
  }
}

function parseDefault(cursor: TokenCursor, column: string): ColumnDefault {
  if (!cursor.take('DEFAULT')) return { kind: 'none' }
  if (cursor.take('NULL')) return { kind: 'null' }
  if (cursor.peek()?.kind !== 'string') throw notSupported(`a default of column '${column}' that is not a quoted value`)
  return { kind: 'value', text: cursor.string('a default value') }
}

function checkDefault(column: Column): void {
  if (column.default.kind === 'null' && column.nullability === 'not null') {
    throw analysisError(`Invalid default value for '${column.name}': NULL in a NOT NULL column`)
  }
  if (column.default.kind !== 'value') return
  const value = readerFor(column.type)(column.default.text)
  if (value !== null && typeof value === 'object' && 'misfit' in value) {
    throw analysisError(`Invalid default value for '${column.name}': ${value.misfit}`)
  }
}

function parsePrimaryKey(cursor: TokenCursor): string[] {
  for (const model of ['DUPLICATE', 'AGGREGATE', 'UNIQUE']) {
    if (cursor.looksAt(model)) throw notSupported(`the ${model} KEY table model`)
  }
  if (!cursor.take('PRIMARY', 'KEY')) throw notSupported('a table without PRIMARY KEY')
  return cursor.list(() => cursor.identifier('a column'))
}

/** `date_trunc('day', column)`, a list of columns, or a list of both. */
function parsePartition(cursor: TokenCursor): { text: string; columns: string[] } {
  const first = cursor.peek()?.start ?? 0
  if (cursor.looksAt('RANGE') || cursor.looksAt('LIST')) throw notSupported(`PARTITION BY ${cursor.next().text}`)
  const columns = cursor.looksAt('(') ? cursor.list(() => partitionExpression(cursor)) : [partitionExpression(cursor)]
  const last = cursor.tokens[cursor.position - 1]
  return { text: cursor.sql.slice(first, last?.end), columns }
}

function partitionExpression(cursor: TokenCursor): string {
  if (!cursor.take('DATE_TRUNC')) return cursor.identifier('a column or date_trunc')
  cursor.expect('(')
  const unit = cursor.string('a unit')
  if (!['hour', 'day', 'week', 'month', 'quarter', 'year'].includes(unit)) {
    throw analysisError(`date_trunc function can't support argument '${unit}' as a partition expression`)
  }
  cursor.expect(',')
  const column = cursor.identifier('a column')
  cursor.expect(')')
  return column
}

export function parseDistribution(cursor: TokenCursor): { distributedBy: string[]; buckets: number } {
  if (!cursor.take('DISTRIBUTED', 'BY')) throw notSupported('a table without DISTRIBUTED BY HASH')
  if (!cursor.take('HASH')) throw notSupported(`DISTRIBUTED BY ${cursor.peek()?.text.toUpperCase() ?? ''}`.trim())
  const distributedBy = cursor.list(() => cursor.identifier('a column'))
  const buckets = cursor.take('BUCKETS') ? cursor.integer('a number of buckets') : 0
  return { distributedBy, buckets }
}

/** `("name" = "value", …)` with names out of `known`. */
export function parseProperties(cursor: TokenCursor, known: ReadonlySet<string>): [string, string][] {
  return cursor.list(() => {
    const name = cursor.string('a property')
    cursor.expect('=')
    if (!known.has(name)) throw notSupported(`property "${name}"`)
    return [name, cursor.string('a value')] as [string, string]
  })
}

function checkTable(table: TableDefinition, partitionColumns: readonly string[]): void {
  const names = table.columns.map(column => column.name.toLowerCase())
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated) throw analysisError(`Duplicate column name '${repeated}'`)
  table.primaryKey.forEach((key, index) => {
    const column = table.columns[index]
    if (column?.name !== key) {
      throw analysisError(`Key columns must be the first few columns of the table, in its order: '${key}' is not`)
    }
    if (column.nullability === 'null') throw analysisError(`primary key column[${key}] cannot be nullable`)
    if (!keyTypes.has(column.type.kind))
      throw analysisError(`Invalid data type of key column '${key}': ${column.type.kind}`)
  })
  const inKey = { 'partition column': partitionColumns, 'distribution column': table.distributedBy }
  for (const [what, columns] of Object.entries(inKey)) {
    const outside = columns.find(name => !table.primaryKey.includes(name))
    if (outside) throw analysisError(`The ${what} '${outside}' must be a column of the PRIMARY KEY`)
  }
  const unsorted = table.orderBy.find(name => !table.columns.some(column => column.name === name))
  if (unsorted) throw parseError(`the ORDER BY column '${unsorted}' is not a column of the table`)
}
