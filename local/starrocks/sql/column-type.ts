import { analysisError, notSupported } from './sql-error.ts'
import type { TokenCursor } from './token-cursor.ts'

/** A StarRocks column type that the stand-in keeps exactly. Lengths of strings are bytes, as in StarRocks. */
export type ColumnType =
  | { readonly kind: 'boolean' | 'tinyint' | 'smallint' | 'int' | 'bigint' | 'largeint' }
  | { readonly kind: 'float' | 'double' | 'datetime' | 'date' }
  | { readonly kind: 'varchar' | 'char'; readonly bytes: number }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }

const stringBytes = 65_533
const maxVarcharBytes = 1_048_576

/** Reads a type as StarRocks' grammar has it. @throws SqlError for an unknown type or a size out of range */
export function parseColumnType(cursor: TokenCursor): ColumnType {
  const name = cursor.identifier('a type').toUpperCase()
  switch (name) {
    case 'BOOLEAN':
    case 'TINYINT':
    case 'SMALLINT':
    case 'BIGINT':
    case 'LARGEINT':
    case 'FLOAT':
    case 'DOUBLE':
    case 'DATETIME':
    case 'DATE':
      return { kind: name.toLowerCase() as 'boolean' }
    case 'INT':
    case 'INTEGER':
      return { kind: 'int' }
    case 'STRING':
      return { kind: 'varchar', bytes: stringBytes }
    case 'VARCHAR':
    case 'CHAR':
      return parseCharacterType(cursor, name)
    case 'DECIMAL':
    case 'DECIMAL32':
    case 'DECIMAL64':
    case 'DECIMAL128':
      return parseDecimalType(cursor)
    default:
      throw notSupported(`type ${name}`)
  }
}

function parseCharacterType(cursor: TokenCursor, name: 'VARCHAR' | 'CHAR'): ColumnType {
  const max = name === 'VARCHAR' ? maxVarcharBytes : 255
  let bytes = 1
  if (cursor.take('(')) {
    bytes = cursor.integer('a length')
    cursor.expect(')')
  }
  if (bytes < 1 || bytes > max) throw analysisError(`${name} size must be between 1 and ${max}, not ${bytes}`)
  return { kind: name === 'VARCHAR' ? 'varchar' : 'char', bytes }
}

function parseDecimalType(cursor: TokenCursor): ColumnType {
  let precision = 10
  let scale = 0
  if (cursor.take('(')) {
    precision = cursor.integer('a precision')
    if (cursor.take(',')) scale = cursor.integer('a scale')
    cursor.expect(')')
  }
  if (precision < 1 || precision > 38 || scale > precision) {
    throw analysisError(
      `DECIMAL(${precision},${scale}) is out of range: precision 1 to 38, scale at most the precision`,
    )
  }
  return { kind: 'decimal', precision, scale }
}

/** The type of the column that DuckDB keeps the values in. */
export function duckdbTypeName(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
      return 'INTEGER'
    case 'largeint':
      return 'HUGEINT'
    case 'datetime':
      return 'TIMESTAMP'
    case 'varchar':
    case 'char':
      return 'VARCHAR'
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'boolean':
    case 'tinyint':
    case 'smallint':
    case 'bigint':
    case 'float':
    case 'double':
    case 'date':
      return type.kind.toUpperCase()
  }
}

/** The type as DESC and SHOW CREATE TABLE print it. */
export function displayTypeName(type: ColumnType): string {
  if (type.kind === 'varchar' || type.kind === 'char') return `${type.kind}(${type.bytes})`
  return type.kind === 'decimal' ? `decimal(${type.precision},${type.scale})` : type.kind
}

/** DATA_TYPE and COLUMN_TYPE of information_schema.columns: MySQL's names, as StarRocks' schema scanner has them. */
export function mysqlTypeNames(type: ColumnType): { dataType: string; columnType: string } {
  switch (type.kind) {
    case 'boolean':
      return { dataType: 'tinyint', columnType: 'tinyint(1)' }
    case 'tinyint':
      return { dataType: 'tinyint', columnType: 'tinyint(4)' }
    case 'smallint':
      return { dataType: 'smallint', columnType: 'smallint(6)' }
    case 'int':
      return { dataType: 'int', columnType: 'int(11)' }
    case 'bigint':
      return { dataType: 'bigint', columnType: 'bigint(20)' }
    case 'largeint':
      return { dataType: 'bigint unsigned', columnType: 'bigint(20) unsigned' }
    case 'varchar':
    case 'char':
    case 'decimal':
      return { dataType: type.kind, columnType: displayTypeName(type) }
    case 'float':
    case 'double':
    case 'datetime':
    case 'date':
      return { dataType: type.kind, columnType: type.kind }
  }
}

/** The StarRocks type nearest to a type that DuckDB computed for a view's column. */
export function columnTypeOfDuckdb(name: string): ColumnType {
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(name)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  switch (name) {
    case 'BOOLEAN':
    case 'TINYINT':
    case 'SMALLINT':
    case 'BIGINT':
    case 'FLOAT':
    case 'DOUBLE':
    case 'DATE':
      return { kind: name.toLowerCase() as 'boolean' }
    case 'INTEGER':
      return { kind: 'int' }
    case 'HUGEINT':
      return { kind: 'largeint' }
    case 'TIMESTAMP':
      return { kind: 'datetime' }
    case 'VARCHAR':
      return { kind: 'varchar', bytes: stringBytes }
    default:
      throw notSupported(`a view's column of DuckDB type ${name}`)
  }
}
