import { type DuckDBConnection, type DuckDBResult, StatementType } from '@duckdb/node-api'
import type { Catalog } from '../store/catalog.ts'
import type { Database } from '../store/database.ts'
import { quoteText } from '../store/database.ts'
import { executeDdl } from './ddl-executor.ts'
import { ddlVerbs, parseDdl, relationName } from '../sql/ddl-parser.ts'
import type { Labels } from '../load/labels.ts'
import { limits } from '../limits.ts'
import type { MaterializedViews } from '../store/materialized-views.ts'
import { type QueryContext, translateQuery } from '../sql/select-translation.ts'
import { SessionVariables } from './session-variables.ts'
import { describeRelation, show, type TextTable } from './show-statements.ts'
import { asSqlError, noDatabase, notSupported, parseError, unknownDatabase } from '../sql/sql-error.ts'
import type { RelationName } from '../sql/statement.ts'
import { TokenCursor } from '../sql/token-cursor.ts'

export interface SessionParts {
  readonly database: Database
  readonly catalog: Catalog
  readonly labels: Labels
  readonly views: MaterializedViews
  readonly bePort: number
}

export type Answer =
  | { readonly kind: 'ok'; readonly affectedRows: number }
  | ({ readonly kind: 'text' } & TextTable)
  | { readonly kind: 'rows'; readonly result: DuckDBResult }

/** One MySQL session: its database, its variables, its connection to DuckDB. Statements come one after the other. */
export class Session implements Disposable {
  readonly #parts: SessionParts
  readonly #connection: DuckDBConnection
  readonly #variables = new SessionVariables()
  readonly #user: string
  readonly #id: number
  #database: string | undefined

  private constructor(parts: SessionParts, connection: DuckDBConnection, identity: { user: string; id: number }) {
    this.#parts = parts
    this.#connection = connection
    this.#user = identity.user
    this.#id = identity.id
  }

  static async open(parts: SessionParts, identity: { user: string; id: number }): Promise<Session> {
    return new Session(parts, await parts.database.connect(), identity)
  }

  [Symbol.dispose](): void {
    this.#connection.interrupt()
    this.#parts.database.release(this.#connection)
  }

  interrupt(): void {
    this.#connection.interrupt()
  }

  get queryTimeoutMs(): number {
    const seconds = Number(this.#variables.get('query_timeout'))
    return seconds > 0 ? Math.min(seconds * 1000, limits.queryTimeoutMs) : limits.queryTimeoutMs
  }

  /** @throws SqlError 1049 */
  async use(database: string): Promise<void> {
    const schema = database === 'information_schema' ? '_information_schema' : database
    if (schema === database && !this.#parts.catalog.hasDatabase(database)) throw unknownDatabase(database)
    await this.#connection.run(`SET schema = ${quoteText(schema)}`)
    this.#database = database
  }

  /** Carries out one statement. @throws SqlError */
  async execute(sql: string): Promise<Answer> {
    try {
      if (sql.length > limits.statementChars)
        throw parseError(`the statement is longer than ${limits.statementChars} characters`)
      return await this.#dispatch(new TokenCursor(sql))
    } catch (error) {
      throw asSqlError(error)
    }
  }

  async #dispatch(cursor: TokenCursor): Promise<Answer> {
    const verb =
      cursor.peek()?.kind === 'symbol' ? (cursor.peek()?.text ?? '') : (cursor.peek()?.text.toUpperCase() ?? '')
    if (ddlVerbs.includes(verb)) {
      await executeDdl(parseDdl(cursor), this.#parts, name => this.#resolve(name))
      return ok()
    }
    switch (verb) {
      case '':
        // A statement of comments only; drivers send them.
        return ok()
      case 'SELECT':
      case 'WITH':
      case '(':
        return { kind: 'rows', result: await this.#query(cursor.sql) }
      case 'INSERT':
      case 'UPDATE':
      case 'DELETE':
        return this.#change(verb, cursor)
      case 'SHOW':
        cursor.next()
        return { kind: 'text', ...show(cursor, this.#showContext()) }
      case 'DESC':
      case 'DESCRIBE':
        cursor.next()
        return { kind: 'text', ...describeRelation(cursor, this.#showContext()) }
      case 'USE':
        cursor.next()
        await this.use(cursor.identifier('a database'))
        return ok()
      case 'SET':
        cursor.next()
        this.#variables.apply(cursor)
        return ok()
      case 'COMMIT':
      case 'ROLLBACK':
        // Clients send both at will; every statement is its own transaction here, as it long was in StarRocks.
        return ok()
      default:
        throw notSupported(`the statement ${verb}`)
    }
  }

  async #query(sql: string): Promise<DuckDBResult> {
    const prepared = await this.#connection.prepare(translateQuery(sql, this.#queryContext()))
    if (prepared.statementType !== StatementType.SELECT) throw notSupported('a query that changes something')
    return prepared.stream()
  }

  async #change(verb: 'INSERT' | 'UPDATE' | 'DELETE', cursor: TokenCursor): Promise<Answer> {
    cursor.next()
    if (verb === 'INSERT') cursor.expect('INTO')
    if (verb === 'DELETE') cursor.expect('FROM')
    const { database, name } = this.#resolve(relationName(cursor))
    this.#parts.catalog.table(database, name)
    const sql = translateQuery(cursor.sql, this.#queryContext())
    // A row whose key is there replaces it: that is what INSERT means in a PRIMARY KEY table.
    const upsert = sql.replace(/^\s*INSERT\s+INTO/i, 'INSERT OR REPLACE INTO')
    const result = await this.#parts.catalog.locked(database, name, () => this.#connection.run(upsert))
    this.#parts.catalog.touch()
    return { kind: 'ok', affectedRows: result.rowsChanged }
  }

  #resolve(name: RelationName): { database: string; name: string } {
    const database = name.database ?? this.#database
    if (database === undefined) throw noDatabase()
    return { database, name: name.name }
  }

  #queryContext(): QueryContext {
    return {
      database: this.#database,
      user: this.#user,
      connectionId: this.#id,
      variable: name => this.#variables.get(name),
    }
  }

  #showContext() {
    return {
      catalog: this.#parts.catalog,
      views: this.#parts.views,
      variables: this.#variables,
      database: this.#database,
      bePort: this.#parts.bePort,
      resolve: (name: RelationName) => this.#resolve(name),
    }
  }
}

const ok = (): Answer => ({ kind: 'ok', affectedRows: 0 })
