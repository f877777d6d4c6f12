import type { LogRecord, UserRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { decodeLogRecord, decodeUserOutline, decodeUserRecord, type UserOutline } from '../../schemas/codec.ts'

export type Place = { readonly n: bigint; readonly pos: Pos }

/** How records of a topic are decoded, and which record may follow which. */
export type Numbering<R> = {
  readonly decode: (value: Buffer) => R
  readonly place: (record: R) => Place
  /** Null when `next` is what must come after `previous`; otherwise what is wrong, in words. */
  readonly problem: (previous: Place, next: Place) => string | null
  /** What an operator does about records that can't be so. */
  readonly wayOut: string
}

/** `user.outputs`: n is dense within a partition, pos never falls (a barrier shares the pos of what it closes). */
export const userNumbering: Numbering<UserRecord> = {
  decode: decodeUserRecord,
  place: ({ n, pos }) => ({ n, pos }),
  problem: (previous, next) => {
    if (next.n !== previous.n + 1n) return `n is ${next.n} after ${previous.n}`
    return next.pos < previous.pos ? `pos falls from ${previous.pos} to ${next.pos}` : null
  },
  wayOut:
    'repartition did not write this. The topic can be made again from the log: stop repartition, settle, load and the ' +
    'archive, delete the topic, run settle init, and start them',
}

/** `user.outputs` for a service that decodes a record when its turn comes: until then it is its outline, and its bytes. */
export const userOutlines: Numbering<UserOutline> = {
  ...userNumbering,
  decode: decodeUserOutline,
  place: outline => outline,
}

/** `engine.outputs`: pos strictly rises; there is no n. */
export const logNumbering: Numbering<LogRecord> = {
  decode: decodeLogRecord,
  place: ({ pos }) => ({ n: 0n, pos }),
  problem: (previous, next) =>
    next.pos > previous.pos ? null : `pos does not rise: ${next.pos} after ${previous.pos}`,
  wayOut: 'no bridge of ours wrote this: stop the stream, and compare the log with its archive by settle verify',
}
