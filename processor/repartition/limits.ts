/** Every bound of repartition. */
export const limits = {
  /** Log records in one transaction. */
  batchCount: 2000,
  /** Records of `user.outputs` in one transaction: an output of 10,000 makers alone makes that many. */
  batchRecords: 20_000,
  batchBytes: 6 * 1024 * 1024,
  /** Log records read ahead of the transaction under way. */
  fetchBytes: 4 * 1024 * 1024,
  /** Before leading again after a term that ended in doubt. */
  termBackoffMs: 500,
} as const
