import type { Pos, UserId } from '../../core/ids.ts'
import type { ReadRecord } from '../../runtime/reader/reader.ts'
import type { UserOutline } from '../../schemas/codec.ts'

/** A record that waits for its turn: what must be known before, and the bytes that it is decoded from then. */
export type WaitingRecord = Pick<UserOutline, 'pos' | 'user' | 'hasOrders'> & {
  readonly offset: bigint
  readonly value: Buffer
}

/** What came together: a few pieces of memory, however many records. */
type Together = {
  readonly offsets: BigInt64Array
  readonly positions: BigInt64Array
  readonly users: BigInt64Array
  /** 1: it is about a user, 2: it has orders. */
  readonly flags: Uint8Array
  /** Where each record ends in `bytes`; it begins where the one before ends. */
  readonly ends: Uint32Array
  readonly bytes: Buffer
  /** Taken from the front. */
  taken: number
}

const withUser = 1
const withOrders = 2

/**
 * Records that wait, first in, first out. They wait by the thousand, for longer than the collector looks away: as objects
 * it would move each of them, with its numbers and the view of its bytes, and what is fetched would stay whole beside them.
 */
export class RecordQueue {
  readonly #waiting: Together[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies the records: nothing of them is kept. */
  add(records: readonly ReadRecord<Pick<UserOutline, 'pos' | 'user' | 'hasOrders'>>[]): void {
    const { length } = records
    const together: Together = {
      offsets: new BigInt64Array(length),
      positions: new BigInt64Array(length),
      users: new BigInt64Array(length),
      flags: new Uint8Array(length),
      ends: new Uint32Array(length),
      bytes: Buffer.allocUnsafeSlow(records.reduce((sum, { value }) => sum + value.length, 0)),
      taken: 0,
    }
    let end = 0
    for (const [index, { offset, record, value }] of records.entries()) {
      const { pos, user, hasOrders } = record
      end += value.copy(together.bytes, end)
      together.offsets[index] = offset
      together.positions[index] = pos
      together.users[index] = user ?? 0n
      together.flags[index] = (user === null ? 0 : withUser) | (hasOrders ? withOrders : 0)
      together.ends[index] = end
    }
    this.#waiting.push(together)
    this.#length += length
  }

  /** The oldest, at most `most`. */
  take(most: number): WaitingRecord[] {
    const taken: WaitingRecord[] = []
    for (let next = this.#waiting[0]; next && taken.length < most; next = this.#waiting[0]) {
      const upTo = Math.min(next.offsets.length, next.taken + most - taken.length)
      for (; next.taken < upTo; next.taken++) taken.push(recordAt(next, next.taken))
      if (upTo === next.offsets.length) this.#waiting.shift()
    }
    this.#length -= taken.length
    return taken
  }
}

const recordAt = ({ offsets, positions, users, flags, ends, bytes }: Together, at: number): WaitingRecord => {
  const flag = flags[at] as number
  return {
    offset: offsets[at] as bigint,
    pos: positions[at] as Pos,
    user: flag & withUser ? (users[at] as UserId) : null,
    hasOrders: (flag & withOrders) !== 0,
    value: bytes.subarray(ends[at - 1] ?? 0, ends[at]),
  }
}
