import type { SequencerLimits } from './sequencer.ts'

/** Every bound of the bridge. Their relations are checked at start, with the settings. */
export const limits = {
  /** Taken outputs that wait for a transaction. */
  queueCount: 20_000,
  queueBytes: 32 * 1024 * 1024,
  /** Records in one transaction. */
  batchCount: 2000,
  /** What framing, position and Kafka's own batch header add to an output. */
  recordOverheadBytes: 256,
  /** Before leading again after a term that ended in doubt. */
  termBackoffMs: 500,
  /** How often a standstill looks whether a replay is due. */
  replayPollMs: 50,
  sequencer: {
    bufferCount: 20_000,
    bufferBytes: 32 * 1024 * 1024,
    replayCount: 10_000n,
    replayTimeoutMs: 500,
    replayTimeoutMaxMs: 10_000,
  } satisfies SequencerLimits,
} as const
