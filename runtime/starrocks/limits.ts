/** Bounds of every conversation with StarRocks; the timeouts stand in the order in which they must run out. */
export const starrocksLimits = {
  /** A frontend sends a load on, or a backend asks for its body, within this; both answer from headers alone. */
  continueTimeoutMs: 10_000,
  /** What the server's own timeout is given on top, so that its answer comes before ours runs out. */
  answerMarginMs: 5_000,
  stateTimeoutMs: 10_000,
  errorLogTimeoutMs: 5_000,
  maxRedirects: 3,
  maxAnswerBytes: 1_048_576,
  /** Lines of an error log that are passed on, and the characters of each. */
  errorLogLines: 5,
  errorLogLineChars: 1_000,
  mysqlConnectTimeoutMs: 10_000,
  mysqlQueryTimeoutMs: 300_000,
  mysqlConnections: 4,
} as const
