import type { Pos, UserId } from '../../core/ids.ts'
import type { ReadRecord } from '../../runtime/reader/reader.ts'
import type { UserOutline } from '../../schemas/codec.ts'

/** What must be known of a record before its turn. */
export type Outline = Pick<UserOutline, 'pos' | 'user' | 'hasOrders'>

/** A record that waits for its turn: what must be known before, and the bytes that it is decoded from then. */
export type WaitingRecord = Outline & {
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

  /** pos of the one that comes next; null when none waits. */
  get oldest(): Pos | null {
    const next = this.#waiting[0]
    return next ? (next.positions[next.taken] as Pos) : null
  }

  /** Copies the records: nothing of them is kept. */
  add(records: readonly ReadRecord<Outline>[]): void {
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
  take(most: number): WaitingRecords {
    const slices: Slice[] = []
    let length = 0
    for (let next = this.#waiting[0]; next && length < most; next = this.#waiting[0]) {
      const from = next.taken
      const upTo = Math.min(next.offsets.length, from + most - length)
      slices.push({ together: next, from, upTo })
      length += upTo - from
      next.taken = upTo
      if (upTo === next.offsets.length) this.#waiting.shift()
    }
    this.#length -= length
    return new WaitingRecords(slices, length)
  }
}

type Slice = { readonly together: Together; readonly from: number; readonly upTo: number }

/** What was taken: a record is an object when its turn comes, and not before, each time that they are gone through. */
export class WaitingRecords implements Iterable<WaitingRecord> {
  readonly length: number
  #slices: readonly Slice[]

  constructor(slices: readonly Slice[], length: number) {
    this.length = length
    this.#slices = slices
  }

  *[Symbol.iterator](): Iterator<WaitingRecord> {
    for (const { together, from, upTo } of this.#slices)
      for (let at = from; at < upTo; at++)
        yield { offset: together.offsets[at] as bigint, ...outlineAt(together, at), value: valueAt(together, at) }
  }

  /** What must be known before their turn. */
  *outlines(): Iterable<Outline> {
    for (const { together, from, upTo } of this.#slices)
      for (let at = from; at < upTo; at++) yield outlineAt(together, at)
  }

  /** Lets go of their bytes, whoever still has this: there are none any more. */
  clear(): void {
    this.#slices = []
  }
}

const outlineAt = ({ positions, users, flags }: Together, at: number): Outline => {
  const flag = flags[at] as number
  return {
    pos: positions[at] as Pos,
    user: flag & withUser ? (users[at] as UserId) : null,
    hasOrders: (flag & withOrders) !== 0,
  }
}

const valueAt = ({ ends, bytes }: Together, at: number): Buffer => bytes.subarray(ends[at - 1] ?? 0, ends[at])
