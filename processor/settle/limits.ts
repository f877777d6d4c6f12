/** Bounds of settle that are not settings; one place, so that their relations can be seen. */
export const settleLimits = {
  /** Records that wait before no more are fetched, in batches; as bytes, so that each costs little. */
  queuedBatches: 1,
  /**
   * Batches under way at once, over all partitions: as many as keep the store busy. More would only wait for each other
   * within its requests in flight, and hold memory that the collector goes through again and again.
   */
  batchesAtOnce: 4,
  /**
   * Records folded in one turn of the event loop: a batch of hundreds folded in one go would leave the store's answers
   * unheard until it has nothing left to do.
   */
  foldedATurn: 32,
  /** Records that come one by one are fetched some together: each fetch costs the broker and us as much as a full one. */
  gatherMs: 50,
  /** How long a partition that is given up waits for writes under way; whatever is left is read again. */
  drainMs: 3_000,
  /** Barriers acknowledged but not yet committed; about one a second comes in, and the hold is seconds. */
  heldBarriers: 100_000,
  /** A barrier that is read and not committed this long after its hold is an alarm. */
  commitStallMs: 30_000,
  /** Barriers whose conservation is still open. */
  openIntervals: 10_000,
  /** How many of them are looked at in one turn, and how often. */
  intervalsPerTurn: 50,
  intervalTurnMs: 1_000,
  /** A barrier whose rows are not all there after this long is an alarm. */
  intervalMissingMs: 60_000,
  /** Rows of `parked` read at a start. */
  parkedRows: 1_000_000,
  /** A fetch that only looks for a place in the log. */
  probeBytes: 64 * 1024,
  rereadRetryMs: 500,
  /** History rows of a re-read that are written at once. */
  rereadRows: 500,
} as const
