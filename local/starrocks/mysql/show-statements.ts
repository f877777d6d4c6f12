import { type Catalog, columnsOf, type Relation } from '../store/catalog.ts'
import { displayTypeName } from '../sql/column-type.ts'
import { relationName } from '../sql/ddl-parser.ts'
import type { MaterializedViews } from '../store/materialized-views.ts'
import type { SessionVariables } from './session-variables.ts'
import { showCreate } from '../sql/show-create.ts'
import { noDatabase, notSupported, unknownDatabase } from '../sql/sql-error.ts'
import type { RelationName } from '../sql/statement.ts'
import type { TokenCursor } from '../sql/token-cursor.ts'

export interface TextTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface ShowContext {
  readonly catalog: Catalog
  readonly views: MaterializedViews
  readonly variables: SessionVariables
  readonly database: string | undefined
  readonly bePort: number
  readonly resolve: (name: RelationName) => { database: string; name: string }
}

/** Answers the statement after SHOW. @throws SqlError for what the stand-in does not show, by name */
export function show(cursor: TokenCursor, context: ShowContext): TextTable {
  if (cursor.take('CREATE')) return showCreateStatement(cursor, context)
  if (cursor.take('DATABASES') || cursor.take('SCHEMAS')) {
    const names = ['information_schema', ...context.catalog.databases].filter(pattern(cursor))
    return finish(cursor, { columns: ['Database'], rows: names.map(name => [name]) })
  }
  if (cursor.take('MATERIALIZED', 'VIEWS')) return showMaterializedViews(cursor, context)
  const full = cursor.take('FULL')
  if (cursor.take('TABLES')) return showTables(cursor, context, full ? 'full' : 'names')
  if (cursor.take('COLUMNS') || cursor.take('FIELDS')) return showColumns(cursor, context, full ? 'full' : 'names')
  for (const scope of ['GLOBAL', 'SESSION']) cursor.take(scope)
  if (cursor.take('VARIABLES')) return showVariables(cursor, context)
  const what = cursor.peek()?.text.toUpperCase() ?? ''
  const table = fixedTable(what, context)
  if (!table) throw notSupported(`SHOW ${what}`)
  return table
}

/** DESC and DESCRIBE. */
export function describeRelation(cursor: TokenCursor, context: ShowContext): TextTable {
  const { database, name } = context.resolve(relationName(cursor))
  return finish(cursor, fieldTable(context.catalog.relation(database, name)))
}

function finish(cursor: TokenCursor, table: TextTable): TextTable {
  cursor.end()
  return table
}

function showCreateStatement(cursor: TokenCursor, context: ShowContext): TextTable {
  if (cursor.take('DATABASE')) {
    const database = cursor.identifier('a database')
    if (!context.catalog.hasDatabase(database)) throw unknownDatabase(database)
    return finish(cursor, {
      columns: ['Database', 'Create Database'],
      rows: [[database, `CREATE DATABASE \`${database}\``]],
    })
  }
  const view = cursor.take('VIEW')
  const materialized = !view && cursor.take('MATERIALIZED', 'VIEW')
  if (!view && !materialized) cursor.expect('TABLE')
  const { database, name } = context.resolve(relationName(cursor))
  const text = showCreate(name, context.catalog.relation(database, name))
  if (view) {
    const columns = ['View', 'Create View', 'character_set_client', 'collation_connection']
    return finish(cursor, { columns, rows: [[name, text, 'utf8', 'utf8_general_ci']] })
  }
  const columns = materialized ? ['Materialized View', 'Create Materialized View'] : ['Table', 'Create Table']
  return finish(cursor, { columns, rows: [[name, text]] })
}

function showTables(cursor: TokenCursor, context: ShowContext, shape: 'full' | 'names'): TextTable {
  const database = fromDatabase(cursor, context)
  const like = pattern(cursor)
  const relations = [...context.catalog.relations(database)].filter(([name]) => like(name)).sort(byName)
  return finish(cursor, {
    columns: shape === 'full' ? [`Tables_in_${database}`, 'Table_type'] : [`Tables_in_${database}`],
    rows: relations.map(([name, relation]) =>
      shape === 'full' ? [name, relation.kind === 'view' ? 'VIEW' : 'BASE TABLE'] : [name],
    ),
  })
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : 1)

function showColumns(cursor: TokenCursor, context: ShowContext, shape: 'full' | 'names'): TextTable {
  if (!cursor.take('FROM')) cursor.expect('IN')
  const written = relationName(cursor)
  const from = cursor.looksAt('FROM') || cursor.looksAt('IN') ? fromDatabase(cursor, context) : written.database
  const { database, name } = context.resolve({ database: from, name: written.name })
  const like = pattern(cursor)
  const table = fieldTable(context.catalog.relation(database, name))
  const rows = table.rows.filter(row => like(String(row[0])))
  if (shape === 'names') return finish(cursor, { columns: table.columns, rows })
  const columns = ['Field', 'Type', 'Collation', 'Null', 'Key', 'Default', 'Extra', 'Privileges', 'Comment']
  const comments = new Map(
    columnsOf(context.catalog.relation(database, name)).map(column => [column.name, column.comment]),
  )
  return finish(cursor, {
    columns,
    rows: rows.map(([field, type, nullable, key, fallback, extra]) => {
      return [field, type, null, nullable, key, fallback, extra, '', comments.get(String(field)) ?? ''].map(
        value => value ?? null,
      )
    }),
  })
}

function fieldTable(relation: Relation): TextTable {
  const keys = relation.kind === 'table' ? relation.definition.primaryKey : []
  return {
    columns: ['Field', 'Type', 'Null', 'Key', 'Default', 'Extra'],
    rows: columnsOf(relation).map(column => [
      column.name,
      displayTypeName(column.type),
      column.nullability === 'null' ? 'YES' : 'NO',
      String(keys.includes(column.name)),
      column.default.kind === 'value' ? column.default.text : null,
      '',
    ]),
  }
}

function showMaterializedViews(cursor: TokenCursor, context: ShowContext): TextTable {
  const database = fromDatabase(cursor, context)
  const like = pattern(cursor)
  const views = [...context.catalog.relations(database)].filter(
    ([name, relation]) => relation.kind === 'materialized view' && like(name),
  )
  const columns = ['database_name', 'name', 'refresh_type', 'is_active', 'last_refresh_error_message', 'text']
  return finish(cursor, {
    columns,
    rows: views.sort(byName).map(([name, relation]) => {
      return [database, name, 'ASYNC', 'true', context.views.lastError(database, name), showCreate(name, relation)]
    }),
  })
}

function showVariables(cursor: TokenCursor, context: ShowContext): TextTable {
  const columns = ['Variable_name', 'Value']
  if (!cursor.take('WHERE')) {
    const like = pattern(cursor)
    return finish(cursor, { columns, rows: context.variables.entries().filter(([name]) => like(name)) })
  }
  // Drivers ask `WHERE Variable_name = 'a' OR Variable_name = 'b'` or `… IN ('a', 'b')`: the texts are the names.
  const names = new Set<string>()
  while (!cursor.atEnd) {
    const token = cursor.next()
    if (token.kind === 'string') names.add(token.text.toLowerCase())
    else if (!/^(variable_name|or|in|=|\(|\)|,|like)$/i.test(token.text))
      throw cursor.unexpectedToken(token, 'Variable_name')
  }
  return { columns, rows: context.variables.entries().filter(([name]) => names.has(name)) }
}

function fromDatabase(cursor: TokenCursor, context: ShowContext): string {
  const named = cursor.take('FROM') || cursor.take('IN') ? cursor.identifier('a database') : context.database
  if (named === undefined) throw noDatabase()
  if (!context.catalog.hasDatabase(named)) throw unknownDatabase(named)
  return named
}

/** `[LIKE 'pattern']` as a test; without it everything passes. */
function pattern(cursor: TokenCursor): (name: string) => boolean {
  if (cursor.looksAt('WHERE')) throw notSupported('SHOW … WHERE')
  if (!cursor.take('LIKE')) return () => true
  const like = cursor.string('a pattern')
  const source = like.replace(/\\([%_])|([%_])|([.*+?^${}()|[\]\\])/g, (_, escaped, wild, special) => {
    if (escaped !== undefined) return String(escaped)
    if (wild !== undefined) return wild === '%' ? '.*' : '.'
    return `\\${special}`
  })
  const expression = new RegExp(`^${source}$`, 'is')
  return name => expression.test(name)
}

function fixedTable(what: string, context: ShowContext): TextTable | undefined {
  switch (what) {
    case 'WARNINGS':
    case 'ERRORS':
      return { columns: ['Level', 'Code', 'Message'], rows: [] }
    case 'PROCESSLIST':
    case 'PLUGINS':
    case 'STATUS':
      return { columns: ['Name', 'Value'], rows: [] }
    case 'ENGINES':
      return {
        columns: ['Engine', 'Support', 'Comment', 'Transactions', 'XA', 'Savepoints'],
        rows: [['OLAP', 'YES', 'StarRocks stand-in over DuckDB', 'NO', 'NO', 'NO']],
      }
    case 'BACKENDS':
      return {
        columns: ['BackendId', 'IP', 'HeartbeatPort', 'BePort', 'HttpPort', 'BrpcPort', 'Alive', 'Version'],
        rows: [['10001', '127.0.0.1', '0', '0', String(context.bePort), '0', 'true', 'stand-in']],
      }
    case 'FRONTENDS':
      return {
        columns: ['Id', 'Name', 'IP', 'Role', 'IsMaster', 'Alive', 'Version'],
        rows: [['1', 'stand-in', '127.0.0.1', 'LEADER', 'true', 'true', 'stand-in']],
      }
    default:
      return undefined
  }
}
