/** A record that waits for its turn: where it stands in its partition, and the bytes that it is decoded from then. */
export type WaitingRecord = { readonly offset: bigint; readonly value: Buffer }

/** What came together: one piece of memory, however many records. */
type Together = {
  readonly offsets: BigInt64Array
  /** Where each record ends in `bytes`; it begins where the one before ends. */
  readonly ends: Uint32Array
  readonly bytes: Buffer
  /** Taken from the front. */
  taken: number
}

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
  add(records: readonly WaitingRecord[]): void {
    const together: Together = {
      offsets: new BigInt64Array(records.length),
      ends: new Uint32Array(records.length),
      bytes: Buffer.allocUnsafeSlow(records.reduce((sum, { value }) => sum + value.length, 0)),
      taken: 0,
    }
    let end = 0
    for (const [index, { offset, value }] of records.entries()) {
      end += value.copy(together.bytes, end)
      together.offsets[index] = offset
      together.ends[index] = end
    }
    this.#waiting.push(together)
    this.#length += records.length
  }

  /** The oldest, at most `most`. */
  take(most: number): WaitingRecord[] {
    const taken: WaitingRecord[] = []
    for (let next = this.#waiting[0]; next && taken.length < most; next = this.#waiting[0]) {
      const { offsets, ends, bytes } = next
      const upTo = Math.min(offsets.length, next.taken + most - taken.length)
      for (; next.taken < upTo; next.taken++)
        taken.push({
          offset: offsets[next.taken] as bigint,
          value: bytes.subarray(ends[next.taken - 1] ?? 0, ends[next.taken]),
        })
      if (upTo === offsets.length) this.#waiting.shift()
    }
    this.#length -= taken.length
    return taken
  }
}
