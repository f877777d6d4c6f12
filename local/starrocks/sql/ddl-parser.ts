import { parseViewStatement } from './ddl-view-parser.ts'
import { parseColumnDefinition, parseTableDefinition } from './ddl-table-parser.ts'
import { notSupported, parseError } from './sql-error.ts'
import type { DdlStatement, IfExists, IfNotExists, RelationName } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'

/** The words that a DDL statement starts with. */
export const ddlVerbs = ['CREATE', 'DROP', 'ALTER', 'TRUNCATE', 'REFRESH']

/**
 * Reads one DDL statement of StarRocks' grammar, strictly: a clause that the stand-in does not know is an error,
 * never skipped.
 * @throws SqlError 1064 for syntax, 1235 for what StarRocks has and the stand-in has not
 */
export function parseDdl(cursor: TokenCursor): DdlStatement {
  const statement = parseStatement(cursor)
  cursor.end()
  return statement
}

function parseStatement(cursor: TokenCursor): DdlStatement {
  if (cursor.take('CREATE')) return parseCreate(cursor)
  if (cursor.take('DROP')) return parseDrop(cursor)
  if (cursor.take('ALTER')) return parseAlter(cursor)
  if (cursor.take('TRUNCATE')) {
    cursor.expect('TABLE')
    return { kind: 'truncate', target: relationName(cursor) }
  }
  cursor.expect('REFRESH', 'MATERIALIZED', 'VIEW')
  const target = relationName(cursor)
  const sync = cursor.take('WITH', 'SYNC', 'MODE')
  if (!sync) cursor.take('WITH', 'ASYNC', 'MODE')
  return { kind: 'refresh', target, mode: sync ? 'sync' : 'async' }
}

function parseCreate(cursor: TokenCursor): DdlStatement {
  if (cursor.take('DATABASE') || cursor.take('SCHEMA')) {
    const guard = ifNotExists(cursor)
    return { kind: 'create database', database: cursor.identifier('a database name'), guard }
  }
  if (cursor.take('TABLE')) {
    const guard = ifNotExists(cursor)
    const target = relationName(cursor)
    return { kind: 'create table', target, guard, definition: parseTableDefinition(cursor) }
  }
  const view = parseViewStatement(cursor, { relationName, ifNotExists })
  if (view) return view
  throw notSupported(`CREATE ${cursor.peek()?.text.toUpperCase() ?? ''}`.trim())
}

function parseDrop(cursor: TokenCursor): DdlStatement {
  if (cursor.take('DATABASE') || cursor.take('SCHEMA')) {
    const guard = ifExists(cursor)
    const database = cursor.identifier('a database name')
    cursor.take('FORCE')
    return { kind: 'drop database', database, guard }
  }
  const relation = dropKind(cursor)
  const guard = ifExists(cursor)
  const target = relationName(cursor)
  if (relation === 'table') cursor.take('FORCE')
  return { kind: 'drop', relation, target, guard }
}

function dropKind(cursor: TokenCursor): 'table' | 'view' | 'materialized view' {
  if (cursor.take('TABLE')) return 'table'
  if (cursor.take('VIEW')) return 'view'
  if (cursor.take('MATERIALIZED', 'VIEW')) return 'materialized view'
  throw notSupported(`DROP ${cursor.peek()?.text.toUpperCase() ?? ''}`.trim())
}

function parseAlter(cursor: TokenCursor): DdlStatement {
  if (!cursor.take('TABLE')) throw notSupported(`ALTER ${cursor.peek()?.text.toUpperCase() ?? ''}`.trim())
  const target = relationName(cursor)
  if (!cursor.take('ADD', 'COLUMN')) throw notSupported(`ALTER TABLE … ${cursor.peek()?.text.toUpperCase() ?? ''}`)
  const columns = cursor.looksAt('(')
    ? cursor.list(() => parseColumnDefinition(cursor))
    : [parseColumnDefinition(cursor)]
  if (cursor.looksAt('FIRST') || cursor.looksAt('AFTER')) throw notSupported('a position for ADD COLUMN')
  return { kind: 'add columns', target, columns }
}

/** `name` or `database.name`; `catalog.database.name` only with StarRocks' own catalog. */
export function relationName(cursor: TokenCursor): RelationName {
  const parts = [cursor.identifier('a name')]
  while (cursor.take('.')) parts.push(cursor.identifier('a name'))
  if (parts.length === 3 && parts[0] === 'default_catalog') parts.shift()
  if (parts.length > 2) throw parseError(`the name ${parts.join('.')} has too many parts`)
  const name = parts.at(-1) as string
  return { database: parts.length === 2 ? parts[0] : undefined, name }
}

function ifNotExists(cursor: TokenCursor): IfNotExists {
  return cursor.take('IF', 'NOT', 'EXISTS') ? 'if not exists' : 'must not exist'
}

function ifExists(cursor: TokenCursor): IfExists {
  return cursor.take('IF', 'EXISTS') ? 'if exists' : 'must exist'
}
