/** Bounds of the store's client; one place, so that their relations can be seen. */
export const cqlLimits = {
  /** ScyllaDB and Cassandra warn beyond these; a batch of one partition gains nothing from being larger. */
  batchStatements: 100,
  batchBytes: 64 * 1024,
  /** One request: longer than the server's own write timeout, so that its answer comes first. */
  requestTimeoutMs: 12_000,
  connectTimeoutMs: 5_000,
  /** How long a change of the schema waits until all nodes have it: the next one may reach a node that has not. */
  schemaAgreementSeconds: 60,
  /** How long a start waits for a first node to answer, when no setting says otherwise. */
  openForMs: 30_000,
  /** Between attempts; doubles from the first to the last. */
  firstRetryMs: 50,
  lastRetryMs: 2_000,
  /** How long one read or write is tried before the service gives up and says so. */
  tryForMs: 300_000,
  /** One question for a node's generation, and how often it is asked before the node counts as silent. */
  generationTimeoutMs: 2_000,
  generationAttempts: 3,
  pageRows: 1_000,
  /** Between two lines of log about requests that are sent again. */
  tellEveryMs: 1_000,
} as const
