import type { DuckDBConnection } from '@duckdb/node-api'
import { columnTypeOfDuckdb, duckdbTypeName, mysqlTypeNames } from '../sql/column-type.ts'
import { type Database, quoteName, quoteText } from './database.ts'
import { KeyedLock } from './keyed-lock.ts'
import { limits } from '../limits.ts'
import { notSupported, SqlError, unknownDatabase, unknownTable } from '../sql/sql-error.ts'
import type { Column, MaterializedViewDefinition, TableDefinition } from '../sql/statement.ts'

export type Relation =
  | { readonly kind: 'table'; readonly definition: TableDefinition }
  | { readonly kind: 'view'; readonly query: string; readonly columns: readonly Column[] }
  | {
      readonly kind: 'materialized view'
      readonly definition: MaterializedViewDefinition
      readonly columns: readonly Column[]
    }

export const columnsOf = (relation: Relation): readonly Column[] =>
  relation.kind === 'table' ? relation.definition.columns : relation.columns

const reservedDatabases = new Set(['information_schema', 'main', 'temp', 'system', 'pg_catalog', 'sys'])

/** `"database"."name"` for DuckDB. */
export const qualified = (database: string, name: string): string => `${quoteName(database)}.${quoteName(name)}`

/**
 * What databases and relations there are. DuckDB holds the rows; this holds what DuckDB does not know of a StarRocks
 * table (keys of distribution, comments, exact types), stores it beside them and keeps information_schema.
 */
export class Catalog {
  readonly #database: Database
  readonly #databases = new Map<string, Map<string, Relation>>()
  readonly #locks = new KeyedLock({ maxWaiters: limits.tableLockWaiters })
  #dataVersion = 0

  constructor(database: Database) {
    this.#database = database
  }

  async load(): Promise<void> {
    await this.#database.use(async connection => {
      for (const statement of systemSchema) await connection.run(statement)
      const databases = await connection.runAndReadAll('SELECT db FROM _stand_in.databases')
      for (const [db] of databases.getRows()) this.#databases.set(String(db), new Map())
      const relations = await connection.runAndReadAll('SELECT db, name, body FROM _stand_in.relations')
      for (const [db, name, body] of relations.getRows()) {
        this.#databases.get(String(db))?.set(String(name), JSON.parse(String(body)) as Relation)
      }
    })
  }

  get databases(): string[] {
    return [...this.#databases.keys()].sort()
  }

  /** Rises with every change of rows: a materialized view need not be rebuilt while it stands still. */
  get dataVersion(): number {
    return this.#dataVersion
  }

  touch(): void {
    this.#dataVersion += 1
  }

  hasDatabase(database: string): boolean {
    return this.#databases.has(database)
  }

  relations(database: string): ReadonlyMap<string, Relation> {
    const relations = this.#databases.get(database)
    if (!relations) throw unknownDatabase(database)
    return relations
  }

  /** @throws SqlError 1049 or 5502 */
  relation(database: string, name: string): Relation {
    const relation = this.relations(database).get(name)
    if (!relation) throw unknownTable(database, name)
    return relation
  }

  /** @throws SqlError 1049, 5502, or 1064 when the name is a view's */
  table(database: string, name: string): TableDefinition {
    const relation = this.relation(database, name)
    if (relation.kind !== 'table') throw new SqlError(1064, `'${database}.${name}' is a ${relation.kind}, not a table`)
    return relation.definition
  }

  /** Everything that writes to a relation holds its lock: DuckDB refuses the second of two writers. */
  locked<T>(database: string, name: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(`${database}.${name}`, work)
  }

  async createDatabase(database: string): Promise<void> {
    if (reservedDatabases.has(database.toLowerCase()) || database.startsWith('_')) {
      throw notSupported(`a database named '${database}'`)
    }
    await this.#change(async connection => {
      await connection.run(`CREATE SCHEMA ${quoteName(database)}`)
      await connection.run(`INSERT INTO _stand_in.databases VALUES (${quoteText(database)})`)
    })
    this.#databases.set(database, new Map())
  }

  async dropDatabase(database: string): Promise<void> {
    await this.#change(async connection => {
      await connection.run(`DROP SCHEMA ${quoteName(database)} CASCADE`)
      for (const table of ['databases', 'relations', 'labels']) {
        await connection.run(`DELETE FROM _stand_in.${table} WHERE db = ${quoteText(database)}`)
      }
      for (const table of ['tables', 'columns']) {
        await connection.run(`DELETE FROM _information_schema.${table} WHERE TABLE_SCHEMA = ${quoteText(database)}`)
      }
    })
    this.#databases.delete(database)
    this.touch()
  }

  async createTable(database: string, name: string, definition: TableDefinition): Promise<void> {
    const columns = definition.columns.map(columnDdl)
    const key = definition.primaryKey.map(quoteName).join(', ')
    await this.#define(database, name, { kind: 'table', definition }, connection =>
      connection.run(`CREATE TABLE ${qualified(database, name)} (${columns.join(', ')}, PRIMARY KEY (${key}))`),
    )
  }

  async addColumns(database: string, name: string, added: readonly Column[]): Promise<void> {
    const definition = this.table(database, name)
    const relation: Relation = {
      kind: 'table',
      definition: { ...definition, columns: [...definition.columns, ...added] },
    }
    await this.#define(database, name, relation, async connection => {
      for (const column of added) {
        // DuckDB adds no NOT NULL column; the loads check it, and the column's default fills the rows that are there.
        const ddl = columnDdl({ ...column, nullability: 'null' })
        await connection.run(`ALTER TABLE ${qualified(database, name)} ADD COLUMN ${ddl}`)
      }
    })
  }

  /** `query` is DuckDB's, `relation.query` StarRocks'. */
  async createView(
    database: string,
    name: string,
    view: { query: string; sql: string; columnNames: readonly string[] },
  ): Promise<void> {
    const names = view.columnNames.length > 0 ? `(${view.columnNames.map(quoteName).join(', ')})` : ''
    await this.#change(async connection => {
      await connection.run(`SET schema = ${quoteText(database)}`)
      await connection.run(`CREATE OR REPLACE VIEW ${qualified(database, name)} ${names} AS ${view.sql}`)
      const columns = await describe(connection, database, name)
      await this.#record(connection, database, name, { kind: 'view', query: view.query, columns })
    })
  }

  /** Fills the view's table anew in one transaction; whoever reads it meanwhile sees the rows before. */
  async rebuildMaterializedView(
    database: string,
    name: string,
    view: { definition: MaterializedViewDefinition; sql: string },
  ): Promise<void> {
    const names = view.definition.columnNames
    const aliased = names.length > 0 ? `SELECT * FROM (${view.sql}) v(${names.map(quoteName).join(', ')})` : view.sql
    await this.#change(async connection => {
      await connection.run(`SET schema = ${quoteText(database)}`)
      await connection.run(`CREATE OR REPLACE TABLE ${qualified(database, name)} AS ${aliased}`)
      const columns = await describe(connection, database, name)
      const relation: Relation = { kind: 'materialized view', definition: view.definition, columns }
      const known = this.#databases.get(database)?.get(name)
      if (JSON.stringify(known) !== JSON.stringify(relation)) await this.#record(connection, database, name, relation)
    })
  }

  async truncate(database: string, name: string): Promise<void> {
    await this.#change(connection => connection.run(`DELETE FROM ${qualified(database, name)}`))
    this.touch()
  }

  async drop(database: string, name: string): Promise<void> {
    const relation = this.relation(database, name)
    await this.#change(async connection => {
      await connection.run(`DROP ${relation.kind === 'view' ? 'VIEW' : 'TABLE'} ${qualified(database, name)}`)
      await forget(connection, database, name)
    })
    this.#databases.get(database)?.delete(name)
    this.touch()
  }

  async #define(
    database: string,
    name: string,
    relation: Relation,
    work: (connection: DuckDBConnection) => Promise<unknown>,
  ): Promise<void> {
    await this.#change(async connection => {
      await work(connection)
      await this.#record(connection, database, name, relation)
    })
  }

  async #record(connection: DuckDBConnection, database: string, name: string, relation: Relation): Promise<void> {
    await forget(connection, database, name)
    const [db, table, body] = [database, name, JSON.stringify(relation)].map(quoteText)
    await connection.run(`INSERT INTO _stand_in.relations VALUES (${db}, ${table}, ${body})`)
    const comment = relation.kind === 'table' ? relation.definition.comment : ''
    const type = relation.kind === 'view' ? 'VIEW' : 'BASE TABLE'
    await connection.run(`INSERT INTO _information_schema.tables
      VALUES ('def', ${db}, ${table}, '${type}', 'StarRocks', NULL, ${quoteText(comment)})`)
    const rows = columnsOf(relation).map((column, index) => {
      const { dataType, columnType } = mysqlTypeNames(column.type)
      const key = relation.kind === 'table' && relation.definition.primaryKey.includes(column.name) ? 'PRI' : ''
      const fallback = column.default.kind === 'value' ? quoteText(column.default.text) : 'NULL'
      const nullable = column.nullability === 'null' ? 'YES' : 'NO'
      return `('def', ${db}, ${table}, ${quoteText(column.name)}, ${index + 1}, ${fallback}, '${nullable}',
        '${dataType}', '${columnType}', '${key}', '', ${quoteText(column.comment)})`
    })
    await connection.run(`INSERT INTO _information_schema.columns VALUES ${rows.join(', ')}`)
    this.#pending.push(() => this.#databases.get(database)?.set(name, relation))
  }

  #pending: (() => void)[] = []

  /** Changes of the catalog run one after the other, each in a transaction; memory follows only after the commit. */
  #change(work: (connection: DuckDBConnection) => Promise<unknown>): Promise<void> {
    return this.#locks.run('', () =>
      this.#database.use(async connection => {
        this.#pending = []
        await this.#database.transaction(connection, () => work(connection))
        for (const apply of this.#pending) apply()
      }),
    )
  }
}

function columnDdl(column: Column): string {
  const notNull = column.nullability === 'not null' ? ' NOT NULL' : ''
  const fallback = column.default.kind === 'value' ? ` DEFAULT ${quoteText(column.default.text)}` : ''
  return `${quoteName(column.name)} ${duckdbTypeName(column.type)}${fallback}${notNull}`
}

async function describe(connection: DuckDBConnection, database: string, name: string): Promise<Column[]> {
  const result = await connection.run(`SELECT * FROM ${qualified(database, name)} LIMIT 0`)
  const types = result.columnTypes()
  return result.columnNames().map((column, index) => ({
    name: column,
    type: columnTypeOfDuckdb(String(types[index])),
    nullability: 'null',
    default: { kind: 'none' },
    comment: '',
  }))
}

async function forget(connection: DuckDBConnection, database: string, name: string): Promise<void> {
  const [db, table] = [database, name].map(quoteText)
  await connection.run(`DELETE FROM _stand_in.relations WHERE db = ${db} AND name = ${table}`)
  for (const view of ['tables', 'columns']) {
    await connection.run(`DELETE FROM _information_schema.${view} WHERE TABLE_SCHEMA = ${db} AND TABLE_NAME = ${table}`)
  }
}

const systemSchema = [
  'CREATE SCHEMA IF NOT EXISTS _stand_in',
  'CREATE SCHEMA IF NOT EXISTS _information_schema',
  'CREATE TABLE IF NOT EXISTS _stand_in.databases (db VARCHAR)',
  'CREATE TABLE IF NOT EXISTS _stand_in.relations (db VARCHAR, name VARCHAR, body VARCHAR)',
  `CREATE TABLE IF NOT EXISTS _information_schema.tables (TABLE_CATALOG VARCHAR, TABLE_SCHEMA VARCHAR, TABLE_NAME VARCHAR,
    TABLE_TYPE VARCHAR, ENGINE VARCHAR, TABLE_ROWS BIGINT, TABLE_COMMENT VARCHAR)`,
  `CREATE TABLE IF NOT EXISTS _information_schema.columns (TABLE_CATALOG VARCHAR, TABLE_SCHEMA VARCHAR, TABLE_NAME VARCHAR,
    COLUMN_NAME VARCHAR, ORDINAL_POSITION BIGINT, COLUMN_DEFAULT VARCHAR, IS_NULLABLE VARCHAR, DATA_TYPE VARCHAR,
    COLUMN_TYPE VARCHAR, COLUMN_KEY VARCHAR, EXTRA VARCHAR, COLUMN_COMMENT VARCHAR)`,
  "CREATE OR REPLACE VIEW _information_schema.schemata AS SELECT 'def' CATALOG_NAME, db SCHEMA_NAME FROM _stand_in.databases",
]
