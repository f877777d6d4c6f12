// Every bound of the stand-in, in one place. Where a number is StarRocks' own default its configuration name stands beside it.

export const limits = {
  /** streaming_load_max_batch_size_mb: the largest JSON body. */
  maxJsonBodyBytes: 100 * 1024 * 1024,
  /** Ours: a real backend streams CSV without end, we hold one body in memory. */
  maxCsvBodyBytes: 256 * 1024 * 1024,
  /** Ours: bodies held at once over all loads; a load beyond it fails at once. */
  maxBodyBytesInFlight: 512 * 1024 * 1024,
  /** max_running_txn_num_per_db */
  maxRunningLoadsPerDatabase: 1000,
  /** Ours: a largest single row of a JSON or CSV body. */
  maxRowBytes: 16 * 1024 * 1024,
  defaultLoadTimeoutMs: 600_000,
  minLoadTimeoutMs: 1_000,
  maxLoadTimeoutMs: 259_200_000,
  /** DuckDB's own vector size: rows are converted and appended in chunks of it. */
  chunkRows: 2048,
  /** An error log keeps this many rows of a load, each cut to this many characters. */
  errorLogRows: 50,
  errorLogRowChars: 4096,
  errorLogs: 100,
  mysqlConnections: 256,
  /** Statements a client may send before the answer to the first. */
  mysqlPendingStatements: 16,
  /** query_timeout */
  queryTimeoutMs: 300_000,
  /** A client that reads nothing of its answer for so long is cut off. */
  mysqlDrainTimeoutMs: 60_000,
  statementChars: 1_048_576,
  /** Waiting for one table's lock: loads, statements and refreshes together. */
  tableLockWaiters: 2000,
  /** At the end, requests under way may take so long; less than closeTimeoutMs. */
  drainTimeoutMs: 5_000,
  closeTimeoutMs: 10_000,
} as const
