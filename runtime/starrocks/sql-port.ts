/** StarRocks' MySQL door: queries of analysts' tables, and DDL. Loads go by Stream Load. */
export interface SqlPort {
  /**
   * All rows of one statement, for results that are known to be small.
   * @throws SqlFailure
   */
  query(sql: string, params?: readonly SqlValue[]): Promise<readonly SqlRow[]>
  /**
   * Rows of any number, as they come; breaking off early is fine.
   * @throws SqlFailure
   */
  stream(sql: string, params?: readonly SqlValue[]): AsyncIterable<SqlRow>
  close(): Promise<void>
}

/** BIGINT, LARGEINT, DECIMAL, dates and text as strings, exactly as StarRocks prints them; smaller integers as numbers. */
export type SqlValue = string | number | null
export type SqlRow = Readonly<Record<string, SqlValue>>

export type SqlFailureKind =
  /** The server can't be reached, or the connection broke: asking again may succeed. */
  | 'retriable'
  /** The server understood and refused: wrong credentials, missing table, bad statement. */
  | 'refused'

export class SqlFailure extends Error {
  override readonly name = 'SqlFailure'
  readonly kind: SqlFailureKind

  constructor(kind: SqlFailureKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
