import { parseDistribution, parseProperties } from './ddl-table-parser.ts'
import { notSupported } from './sql-error.ts'
import type { DdlStatement, IfNotExists, MaterializedViewDefinition, RelationName } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'

interface Names {
  readonly relationName: (cursor: TokenCursor) => RelationName
  readonly ifNotExists: (cursor: TokenCursor) => IfNotExists
}

const viewProperties = new Set([
  'replication_num',
  'storage_medium',
  'partition_refresh_number',
  'partition_ttl_number',
  'auto_refresh_partitions_limit',
  'query_rewrite_consistency',
  'enable_query_rewrite',
  'force_external_table_query_rewrite',
  'mv_rewrite_staleness_second',
])

const unitMs: Record<string, number> = {
  SECOND: 1_000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
}

/** After CREATE: a view or a materialized view; undefined when neither word comes next. */
export function parseViewStatement(cursor: TokenCursor, names: Names): DdlStatement | undefined {
  const replace = cursor.take('OR', 'REPLACE')
  if (!replace && cursor.take('MATERIALIZED', 'VIEW')) {
    const guard = names.ifNotExists(cursor)
    const target = names.relationName(cursor)
    return { kind: 'create materialized view', target, guard, definition: parseMaterializedView(cursor) }
  }
  if (!cursor.take('VIEW')) return undefined
  const guard = replace ? 'replace' : names.ifNotExists(cursor)
  const target = names.relationName(cursor)
  const columnNames = cursor.looksAt('(') ? columnNameList(cursor) : []
  if (cursor.take('COMMENT')) cursor.string('a comment')
  cursor.expect('AS')
  return { kind: 'create view', target, guard, columnNames, query: queryText(cursor) }
}

function parseMaterializedView(cursor: TokenCursor): MaterializedViewDefinition {
  const first = cursor.peek()?.start ?? 0
  const columnNames = cursor.looksAt('(') ? columnNameList(cursor) : []
  if (cursor.take('COMMENT')) cursor.string('a comment')
  let refresh: Pick<MaterializedViewDefinition, 'refreshEveryMs' | 'firstRefresh'> | undefined
  while (!cursor.looksAt('AS')) {
    if (cursor.take('PARTITION', 'BY')) skipPartition(cursor)
    else if (cursor.looksAt('DISTRIBUTED')) parseDistribution(cursor)
    else if (cursor.take('ORDER', 'BY')) cursor.list(() => cursor.identifier('a column'))
    else if (cursor.take('PROPERTIES')) parseProperties(cursor, viewProperties)
    else if (!refresh && cursor.take('REFRESH')) refresh = parseRefresh(cursor)
    else throw cursor.unexpected('PARTITION BY, DISTRIBUTED BY, ORDER BY, REFRESH, PROPERTIES or AS')
  }
  const clauses = cursor.sql.slice(first, cursor.peek()?.start).trim()
  cursor.expect('AS')
  // Without REFRESH StarRocks makes a synchronous view, an index of one table: another thing altogether.
  if (!refresh) throw notSupported('a materialized view without REFRESH')
  return { query: queryText(cursor), clauses, columnNames, ...refresh }
}

function parseRefresh(cursor: TokenCursor): Pick<MaterializedViewDefinition, 'refreshEveryMs' | 'firstRefresh'> {
  const firstRefresh = cursor.take('DEFERRED') ? 'deferred' : 'immediate'
  if (firstRefresh === 'immediate') cursor.take('IMMEDIATE')
  if (cursor.take('MANUAL')) return { refreshEveryMs: 0, firstRefresh }
  if (!cursor.take('ASYNC')) throw notSupported(`REFRESH ${cursor.peek()?.text.toUpperCase() ?? ''}`.trim())
  if (cursor.take('START')) {
    cursor.expect('(')
    cursor.string('a start time')
    cursor.expect(')')
  }
  if (!cursor.looksAt('EVERY')) throw notSupported('REFRESH ASYNC without EVERY (a refresh after each load)')
  cursor.expect('EVERY', '(', 'INTERVAL')
  const count = cursor.integer('a number')
  const unit = cursor.identifier('a unit').toUpperCase()
  const ms = unitMs[unit]
  if (ms === undefined || count < 1) throw notSupported(`a refresh interval of ${count} ${unit}`)
  cursor.expect(')')
  return { refreshEveryMs: count * ms, firstRefresh }
}

/** Partitions of a view change nothing here: the column, call or list is walked over. */
function skipPartition(cursor: TokenCursor): void {
  if (!cursor.looksAt('(')) cursor.identifier('a partition column or expression')
  if (!cursor.looksAt('(')) return
  let depth = 0
  do {
    const token = cursor.next()
    if (token.kind === 'symbol' && token.text === '(') depth += 1
    if (token.kind === 'symbol' && token.text === ')') depth -= 1
  } while (depth > 0)
}

function columnNameList(cursor: TokenCursor): string[] {
  return cursor.list(() => {
    const name = cursor.identifier('a column name')
    if (cursor.take('COMMENT')) cursor.string('a comment')
    return name
  })
}

function queryText(cursor: TokenCursor): string {
  if (!cursor.looksAt('SELECT') && !cursor.looksAt('WITH')) throw cursor.unexpected('SELECT or WITH')
  const text = cursor.rest()
  while (!cursor.atEnd) cursor.next()
  return text
}
