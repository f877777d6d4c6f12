/** Bounds of `settle restore`. */
export const restoreLimits = {
  /** Of one transaction; kafkajs groups records in a time that grows with their square. */
  batchCount: 700,
  batchBytes: 4 * 1024 * 1024,
  /** What Kafka's own headers add to a record. */
  recordOverheadBytes: 256,
  /** Transactions in a row whose outcome nobody knows before it gives up. */
  failures: 20,
  retryMs: 1000,
  /** Things wrong with the archive that an error names. */
  shownFindings: 20,
  /** Operators' commands in the log whose ids are kept in mind. */
  commandIds: 1_000_000,
} as const
