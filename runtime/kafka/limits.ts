/** Every bound on what Kafka is asked, in one place; their relations are checked when a port is opened. */
export type KafkaLimits = {
  /** For a connection to be made, TLS included. */
  readonly connectMs: number
  /** For the answer to one request; kafkajs asks some again after it. */
  readonly requestMs: number
  /** The coordinator aborts a transaction that stays open longer. */
  readonly transactionMs: number
  /** For a whole `commitBatch`, all its requests, retries and connections: then its outcome is unknown. */
  readonly commitMs: number
  /** For a writer to be opened, which fences the one before and waits until its transaction is over. */
  readonly openWriterMs: number
  /** For bounds, offsets, owners, one fetch, the broker's clock. */
  readonly askMs: number
  /** For topics to be made or deleted, on a cluster that elects leaders meanwhile. */
  readonly adminMs: number
  /** For a group to let a member in; the others have the rebalance timeout to come back. */
  readonly joinMs: number
  /** For goodbyes; then connections are cut. */
  readonly closeMs: number
  /** For a writer's thread to begin, which loads kafkajs again: seconds on a machine that is busy. */
  readonly threadStartMs: number
  /** For a thread to say that its operation ended, which has an end of its own: then it hangs. */
  readonly threadMs: number
  /** Sequences wrap, loudly, after 2^31 records of one producer on one partition; a writer is replaced long before. */
  readonly maxRecordsPerWriter: number
}

export const kafkaLimits: KafkaLimits = {
  connectMs: 3000,
  requestMs: 4000,
  transactionMs: 10_000,
  commitMs: 10_000,
  openWriterMs: 20_000,
  askMs: 15_000,
  adminMs: 90_000,
  joinMs: 60_000,
  closeMs: 3000,
  threadStartMs: 15_000,
  threadMs: 2000,
  maxRecordsPerWriter: 1_500_000_000,
}

/** Heaps of a writer's thread. A batch is outside of them; what sending makes around it is gone with its transaction. */
export const writerThreadHeaps = { maxYoungGenerationSizeMb: 12, maxOldGenerationSizeMb: 128 } as const

/** @throws Error naming each relation that does not hold: a bug of whoever set the limits */
export const checkKafkaLimits = (limits: KafkaLimits): KafkaLimits => {
  const { connectMs, requestMs, transactionMs, commitMs, openWriterMs, askMs, joinMs, maxRecordsPerWriter } = limits
  const problems = [
    // What takes longer than a transaction may stay open was aborted by the coordinator meanwhile, its writer fenced:
    // to go on trying only keeps the owner from reading the log and starting anew.
    commitMs <= transactionMs || `commitMs=${commitMs} must be at most transactionMs=${transactionMs}`,
    // One lost answer is survived by asking again, without a fence.
    2 * requestMs <= commitMs || `requestMs=${requestMs} must be at most half of commitMs=${commitMs}`,
    // A fence finds the coordinator, asks for a producer id, and may be told to ask again.
    connectMs + 3 * requestMs <= openWriterMs ||
      `connectMs=${connectMs} and three times requestMs=${requestMs} must fit into openWriterMs=${openWriterMs}`,
    connectMs + 2 * requestMs <= askMs ||
      `connectMs=${connectMs} and two times requestMs=${requestMs} must fit into askMs=${askMs}`,
    askMs <= joinMs || `askMs=${askMs} must be at most joinMs=${joinMs}`,
    maxRecordsPerWriter < 2 ** 31 || `maxRecordsPerWriter=${maxRecordsPerWriter} must be below 2^31`,
  ].filter(problem => problem !== true)
  if (problems.length > 0) throw new Error(`limits of Kafka: ${problems.join('; ')}`)
  return limits
}
