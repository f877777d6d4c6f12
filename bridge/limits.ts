import type { ClockLimits } from './clock-guard.ts'
import type { SequencerLimits } from './sequencer.ts'

/** Every bound of the bridge. Their relations are checked at start, with the settings. */
export const limits = {
  /** Taken outputs that wait for a transaction. */
  queueCount: 6000,
  queueBytes: 16 * 1024 * 1024,
  /**
   * Records in one transaction. kafkajs groups them in a time that grows with their square, and a commit costs as much as
   * a few hundred of them: of 350, 700 and 2000 the bridge was fastest with 700, in median and in the best of three.
   */
  batchCount: 700,
  /** A transaction costs the broker and us as much as hundreds of outputs: few of them are let come together. */
  gatherMs: 20,
  /** Fewer outputs than this in the queue are few. */
  fewOutputs: 100,
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
  /**
   * What may wait in one socket. libzmq's bound counts messages: it is this many bytes' worth of the largest output,
   * within the counts below. Measured with 300-byte outputs in three frames, two processes on two busy cores, messages
   * a second at a bound of 16, 64, 1000 and 10,000 messages: PUB 72, 121, 125, 137 thousand; PUSH 82, 122, 130, 77;
   * ROUTER 55, 61, 73, 77. More than 64 buys nothing that can be told from noise, and at 10,000 a socket of 4 MiB
   * outputs would hold 40 GiB.
   */
  socketBytes: 256 * 1024 * 1024,
  socketCount: { min: 16, max: 1000 },
  /** Messages that are taken before anything else is looked at, the end of a commit for one: about a millisecond's worth. */
  receivesPerTurn: 64,
  /**
   * Frames up to so many times MAX_OUTPUT_BYTES (and the dialect's expansion) reach the bridge, which refuses an
   * output by its size, session and seq. Beyond it libzmq cuts the connection, and all that is known is the limit.
   */
  frameMultiple: 2,
  /** libzmq tells a retry at once; no word for so long means that it gave up. */
  engineSilenceMs: 1000,
  /** Of each thing that the sockets say again and again, one line per so long. */
  engineLogMs: 10_000,
  sequencer: {
    bufferCount: 10_000,
    bufferBytes: 16 * 1024 * 1024,
    replayCount: 10_000n,
    replayTimeoutMs: 1500,
    replayTimeoutMaxMs: 10_000,
  } satisfies SequencerLimits,
  clock: { waitMs: 30_000, freshMs: 5000, pollMs: 100 } satisfies Partial<ClockLimits>,
} as const
