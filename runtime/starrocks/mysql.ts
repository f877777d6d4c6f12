import { createPool, type Pool, type PoolConnection, type QueryError } from 'mysql2'
import { starrocksLimits as limits } from './limits.ts'
import { SqlFailure, type SqlPort, type SqlRow, type SqlValue } from './sql-port.ts'

export type MysqlOptions = {
  /** host:port */
  readonly address: string
  readonly user: string
  readonly password: string
  /** Left out: no database is chosen. */
  readonly database?: string
}

/**
 * The MySQL door by mysql2. Text protocol only: StarRocks' prepared statements lose what they should not
 * (StarRocks issue 56229). Big numbers and dates stay text, so nothing passes through a double.
 */
export const openMysql = ({ address, user, password, database }: MysqlOptions): SqlPort => {
  const [host, port] = [address.slice(0, address.lastIndexOf(':')), Number(address.slice(address.lastIndexOf(':') + 1))]
  return new Mysql(
    address,
    createPool({
      host,
      port,
      user,
      password,
      ...(database !== undefined && { database }),
      connectionLimit: limits.mysqlConnections,
      connectTimeout: limits.mysqlConnectTimeoutMs,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      timezone: 'Z',
      charset: 'utf8mb4',
      multipleStatements: false,
    }),
  )
}

class Mysql implements SqlPort {
  readonly #address: string
  readonly #pool: Pool

  constructor(address: string, pool: Pool) {
    this.#address = address
    this.#pool = pool
  }

  query(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return new Promise((resolve, reject) => {
      this.#pool.query(
        { sql, values: [...params], timeout: limits.mysqlQueryTimeoutMs },
        (error: QueryError | null, rows: unknown) => {
          if (error) reject(this.#failure(error, sql))
          else resolve(Array.isArray(rows) ? (rows as SqlRow[]) : [])
        },
      )
    })
  }

  async *stream(sql: string, params: readonly SqlValue[] = []): AsyncIterable<SqlRow> {
    const connection = await new Promise<PoolConnection>((resolve, reject) => {
      this.#pool.getConnection((error, found) => {
        if (error) reject(this.#failure(error as QueryError, sql))
        else resolve(found)
      })
    })
    let state: 'reading' | 'read' = 'reading'
    try {
      const rows = connection.query({ sql, values: [...params] }).stream({ highWaterMark: 1000 })
      for await (const row of rows) yield row as SqlRow
      state = 'read'
    } catch (error) {
      throw this.#failure(error as QueryError, sql)
    } finally {
      // Rows that nobody will read still come down a connection left half-way: it can't go back to the pool.
      if (state === 'read') connection.release()
      else connection.destroy()
    }
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      this.#pool.end(() => resolve())
    })
  }

  #failure(error: QueryError, sql: string): SqlFailure {
    const said = `${error.code ?? ''} ${error.message}`.trim()
    const message = `StarRocks at ${this.#address}: ${said} (${sql.replace(/\s+/g, ' ').slice(0, 120)})`
    return new SqlFailure(kindOf(error), message, { cause: error })
  }
}

/** What the server itself said has a SQL state; all else is the connection's. */
const kindOf = (error: QueryError): SqlFailure['kind'] =>
  error.sqlState !== undefined || (error.errno !== undefined && error.errno >= 1000) ? 'refused' : 'retriable'
