/** Every bound of repartition. */
export const limits = {
  /** Log records in one transaction. */
  batchCount: 2000,
  /** Records of `user.outputs` in one transaction: an output of 10,000 makers alone makes that many. */
  batchRecords: 20_000,
  /** Of all their bytes, or less where the topic takes less; one output alone may be more. */
  batchBytes: 6 * 1024 * 1024,
  /** Kafka's part of one record: key, lengths, time, and its share of what a batch begins with. */
  recordOverheadBytes: 64,
  /** Log records read ahead of the transaction under way. */
  fetchBytes: 4 * 1024 * 1024,
  /** Outputs that come one by one go into a transaction together: each costs the broker a marker in every partition. */
  gatherMs: 100,
  /** Before leading again after a term that ended in doubt. */
  termBackoffMs: 500,
} as const
