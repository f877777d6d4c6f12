/** Bounds of the operators' commands. */
export const operateLimits = {
  whoChars: 100,
  whyChars: 1000,
  idChars: 100,
  waitMs: 3_600_000,
  /** Before Kafka is asked again while an answer is waited for. */
  askAgainMs: 500,
  /** How far an operator's clock may be ahead of the bridge's when an old command's answer is looked for. */
  clockDoubtUs: 600_000_000n,
  /** Most log offsets that one correction looks through. */
  scanOffsets: 20_000_000n,
  /** Most postings of one user that one correction keeps in mind. */
  scanPostings: 1_000_000,
  /** Postings and log records shown as text; JSON has all. */
  shownRows: 40,
} as const
