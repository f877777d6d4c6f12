import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { join } from 'node:path'

export interface DatabaseOptions {
  readonly directory: string
  /** As DuckDB writes it, e.g. `512MB`. */
  readonly memoryLimit: string
}

/** Quotes a name for DuckDB. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Quotes a text for DuckDB. */
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The one DuckDB file behind all doors. A StarRocks database is a schema in it. */
export class Database implements AsyncDisposable {
  readonly #instance: DuckDBInstance
  readonly #open = new Set<DuckDBConnection>()

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance
  }

  /** @throws Error when another process holds the file, or when it is not a DuckDB file */
  static async open(options: DatabaseOptions): Promise<Database> {
    // The file's name is the catalog's name in DuckDB: with dashes no database of a user can be mistaken for it.
    const instance = await DuckDBInstance.create(join(options.directory, 'starrocks-stand-in.duckdb'), {
      memory_limit: options.memoryLimit,
      temp_directory: join(options.directory, 'spill'),
      threads: '2',
      // DuckDB stands still while it writes its log into its file, at 16 MB for a second each time: StarRocks does not.
      checkpoint_threshold: '256MB',
      // StarRocks promises no order without ORDER BY either, and keeping one costs memory.
      preserve_insertion_order: 'false',
      default_null_order: 'NULLS_FIRST_ON_ASC_LAST_ON_DESC',
      ieee_floating_point_ops: 'false',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    const database = new Database(instance)
    await database.use(connection => connection.run('SET enable_external_access=false'))
    return database
  }

  /** A connection of its own; give it back with `release`. */
  async connect(): Promise<DuckDBConnection> {
    const connection = await this.#instance.connect()
    this.#open.add(connection)
    return connection
  }

  release(connection: DuckDBConnection): void {
    if (this.#open.delete(connection)) connection.closeSync()
  }

  async use<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await this.connect()
    try {
      return await work(connection)
    } finally {
      this.release(connection)
    }
  }

  /** All of `work` or nothing of it; readers see neither before the commit. */
  async transaction<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
    await connection.run('BEGIN TRANSACTION')
    try {
      const result = await work()
      await connection.run('COMMIT')
      return result
    } catch (error) {
      // A failed statement or commit may have ended the transaction already.
      await connection.run('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#open) connection.interrupt()
    await this.use(connection => connection.run('CHECKPOINT')).catch(() => undefined)
    for (const connection of this.#open) this.release(connection)
    this.#instance.closeSync()
  }
}
