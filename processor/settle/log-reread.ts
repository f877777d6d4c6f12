import type { UserRecord } from '../../core/events.ts'
import type { Pos, UserId } from '../../core/ids.ts'
import { userOf } from '../../core/user-of.ts'
import type { Clock } from '../../runtime/clock.ts'
import { type Fetcher, KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { settleLimits } from './limits.ts'

/** What of a user's records is wanted: those after a pos, before a number. */
export type RereadRange = { readonly afterPos: Pos; readonly beforeN: bigint }

/** Reads one partition of `user.outputs` again, beside the reader that follows it, for chosen users. */
export class LogReread {
  readonly #options: {
    readonly kafka: KafkaPort
    readonly clock: Clock
    readonly log: Log
    readonly topic: string
    readonly partition: number
    readonly signal: AbortSignal
  }
  #fetcher: Fetcher | null = null

  constructor(options: {
    readonly kafka: KafkaPort
    readonly clock: Clock
    readonly log: Log
    readonly topic: string
    readonly partition: number
    readonly signal: AbortSignal
  }) {
    this.#options = options
  }

  /** The users' records in the log's order: one pass for all of them. */
  async *records(ranges: ReadonlyMap<UserId, RereadRange>): AsyncIterable<UserRecord> {
    const wanted = [...ranges.values()]
    const from = wanted.reduce((least, { afterPos }) => (afterPos < least ? afterPos : least), maxPos)
    const end = wanted.reduce((most, { beforeN }) => (beforeN > most ? beforeN : most), 0n)
    let offset = await this.#firstAfter(from)
    for (;;) {
      const { records, next } = await this.#read(offset)
      for (const { value } of records) {
        const record = decodeUserRecord(value)
        if (record.n >= end) return
        const user = userOf(record)
        const range = user === null ? undefined : ranges.get(user)
        if (range && record.pos > range.afterPos && record.n < range.beforeN) yield record
      }
      offset = next
    }
  }

  async close(): Promise<void> {
    await this.#fetcher?.close()
  }

  /** The offset of the first record past a pos, found by halving: records are in the order of pos. */
  async #firstAfter(pos: Pos): Promise<bigint> {
    const { kafka, topic, partition } = this.#options
    const bounds = (await kafka.bounds(topic)).get(partition) ?? { low: 0n, end: 0n }
    if (pos === 0n) return bounds.low
    let { low, end } = bounds
    while (low < end) {
      const middle = (low + end) / 2n
      const { records } = await this.#read(middle, settleLimits.probeBytes)
      const [first] = records
      if (!first || decodeUserRecord(first.value).pos > pos) end = middle
      else low = first.offset + 1n
    }
    return low
  }

  async #read(offset: bigint, maxBytes?: number): ReturnType<Fetcher['read']> {
    const { kafka, clock, log, topic, partition, signal } = this.#options
    this.#fetcher ??= kafka.openFetcher()
    for (;;) {
      signal.throwIfAborted()
      try {
        return await this.#fetcher.read({ topic, partition, offset, ...(maxBytes === undefined ? {} : { maxBytes }) })
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
        log.warn({ err: error, partition }, 'fetch for a re-read failed; asking again')
        await clock.sleep(settleLimits.rereadRetryMs, signal)
      }
    }
  }
}

const maxPos = (2n ** 63n - 1n) as Pos
