import type { ClockLimits } from './clock-guard.ts'
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
  /** How often the last ACK is said again: an engine that waits for a lost one would wait for ever. */
  ackRepeatMs: 1000,
  /** Replay requests in a row that bring nothing before it is an alarm. */
  fruitlessReplays: 5,
  /** A kind of dropped frame is logged so often at most. */
  dropLogMs: 10_000,
  /** Commands whose ids are remembered, so that one sent twice acts once. */
  commandIds: 100_000,
  commandIdChars: 100,
  /** Before commands are asked for again when Kafka can't be read. */
  commandRetryMs: 500,
  /** How long a Gap waits for the stop it is for. */
  gapWaitMs: 30_000,
  sequencer: {
    bufferCount: 20_000,
    bufferBytes: 32 * 1024 * 1024,
    replayCount: 10_000n,
    replayTimeoutMs: 500,
    replayTimeoutMaxMs: 10_000,
  } satisfies SequencerLimits,
  clock: { waitMs: 30_000, freshMs: 5000, pollMs: 100 } satisfies Partial<ClockLimits>,
} as const
