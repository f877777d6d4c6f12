/** What the services ask of ScyllaDB (or Cassandra). LOCAL_QUORUM both ways, prepared, idempotent. */
export interface CqlPort {
  /** All rows of one query, for results that are known to be small. Amounts come as bigint. */
  query(cql: string, params?: readonly CqlValue[]): Promise<readonly CqlRow[]>
  /** Rows of any number, page by page; empty pages in the middle are passed over. */
  scan(cql: string, params?: readonly CqlValue[], options?: { readonly pageRows?: number }): AsyncIterable<CqlRow>
  /**
   * One unlogged batch within ONE partition (or a single statement), sent again with the same bytes until it is
   * acknowledged: every write carries its own timestamp, so a repeated or late one changes nothing.
   * Rejects only for what sending again can't mend, or when the signal is aborted.
   */
  write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void>
  /** Schema changes and other statements that carry no timestamp; for `settle init` and migrations. */
  define(cql: string): Promise<void>
  /** Each node's address and start generation (`gossip_generation`); null when it did not answer. */
  nodeGenerations(): Promise<ReadonlyMap<string, number | null>>
  /** Commit-log sync period in ms where the store tells it (Cassandra's settings table), else null. */
  commitLogSyncMs(): Promise<number | null>
  close(): Promise<void>
}

export type CqlStatement = { readonly cql: string; readonly params: readonly CqlValue[] }
export type CqlRow = Readonly<Record<string, CqlValue>>
/** bigint for bigint and varint, number for int, string for text, Buffer for blob, tuples and UDTs as arrays. */
export type CqlValue =
  | bigint
  | number
  | string
  | boolean
  | Buffer
  | null
  | readonly CqlValue[]
  | { readonly [field: string]: CqlValue }
  | ReadonlyMap<CqlValue, CqlValue>
