/** What the services ask of ScyllaDB (or Cassandra). LOCAL_QUORUM both ways, prepared, idempotent. */
export interface CqlPort {
  /** All rows of one query, for results that are known to be small. Amounts come as bigint. */
  query(cql: string, params?: readonly CqlParam[], signal?: AbortSignal): Promise<readonly CqlRow[]>
  /** Rows of any number, page by page; empty pages in the middle are passed over. */
  scan(
    cql: string,
    params?: readonly CqlParam[],
    options?: { readonly pageRows?: number; readonly signal?: AbortSignal },
  ): AsyncIterable<CqlRow>
  /**
   * Writes to ONE partition key, sent again with the same bytes until acknowledged: every write carries its own
   * timestamp, so a repeated or late one changes nothing. Statements may be of several tables that share the key; they
   * go out as unlogged batches, side by side when they are many, and may be seen before all of them are there.
   * Rejects for what sending again can't mend (CqlFailure `refused`), after too long (`silent`), or when the signal is
   * aborted (`aborted`): whether the write happened is then unknown.
   */
  write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void>
  /**
   * The same statement, for one that waits to be written: as little as it can be, and without the values that it was
   * made of.
   * @throws CqlFailure `refused` for a value that `write` would refuse
   */
  pack(statement: CqlStatement): CqlStatement
  /** Schema changes and other statements that carry no timestamp; for `settle init` and migrations. */
  define(cql: string): Promise<void>
  /** Each node's address and start generation (`gossip_generation`); null when it did not answer. */
  nodeGenerations(): Promise<NodeGenerations>
  /** Commit-log sync period in ms where the store tells it (Cassandra's settings table), else null. */
  commitLogSyncMs(): Promise<number | null>
  close(): Promise<void>
}

export type NodeGenerations = ReadonlyMap<string, number | null>

export type CqlStatement = { readonly cql: string; readonly params: readonly CqlParam[] }

/**
 * What a statement is given. A bigint must fit an int64 unless it is wrapped in `CqlVarint`; a tuple is a `CqlTuple`;
 * a UDT an object with the type's fields in the type's order; a number is an int. null and an empty list or map leave
 * the column unset: no tombstone; within a tuple or a UDT both are null.
 */
export type CqlParam =
  | bigint
  | number
  | string
  | boolean
  | Buffer
  | null
  | CqlTuple
  | CqlVarint
  | readonly CqlParam[]
  | ReadonlyMap<CqlParam, CqlParam>
  | { readonly [field: string]: CqlParam }

export class CqlTuple {
  readonly elements: readonly CqlParam[]
  constructor(...elements: readonly CqlParam[]) {
    this.elements = elements
  }
}

/** An integer of any size, for a varint; a plain bigint is refused beyond int64, since a bigint column would wrap it. */
export class CqlVarint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

export type CqlRow = Readonly<Record<string, CqlValue>>
/** What a column holds: bigint for bigint and varint, number for int, a tuple as an array, a UDT as an object. */
export type CqlValue =
  | bigint
  | number
  | string
  | boolean
  | Buffer
  | null
  | readonly CqlValue[]
  | ReadonlyMap<CqlValue, CqlValue>
  | { readonly [field: string]: CqlValue }

export type CqlFailureKind =
  /** Sending again will not help: bad CQL, missing table, refused credentials, a value out of range. */
  | 'refused'
  /** The store did not take it for as long as the limits allow. */
  | 'silent'
  /** The caller's signal was aborted first. */
  | 'aborted'

export class CqlFailure extends Error {
  override readonly name = 'CqlFailure'
  readonly kind: CqlFailureKind
  /** The stable word for what was behind it, for metrics and log. */
  readonly code: string

  constructor(kind: CqlFailureKind, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.code = code
  }
}
