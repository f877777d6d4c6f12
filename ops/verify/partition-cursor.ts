import type { UserRecord } from '../../core/events.ts'
import type { KafkaRecord } from '../../runtime/kafka/port.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { readTopic, type TopicRange } from './read-topic.ts'

/** A record as it stands in a partition; `record` is null when its bytes do not decode. */
export type Standing = { readonly kafka: KafkaRecord; readonly record: UserRecord | null; readonly problem: string }

/** One partition of `user.outputs`, record by record, with a look ahead of one. */
export class PartitionCursor {
  readonly #batches: AsyncGenerator<readonly KafkaRecord[]>
  #batch: readonly KafkaRecord[] = []
  #next = 0
  #peeked: Standing | null = null
  #ended = false

  constructor(range: TopicRange) {
    this.#batches = readTopic(range)
  }

  /** The next record, which stays; null at the end. */
  async peek(): Promise<Standing | null> {
    if (this.#peeked || this.#ended) return this.#peeked
    while (this.#next >= this.#batch.length) {
      const { done, value } = await this.#batches.next()
      if (done) {
        this.#ended = true
        return null
      }
      this.#batch = value
      this.#next = 0
    }
    this.#peeked = standing(this.#batch[this.#next++] as KafkaRecord)
    return this.#peeked
  }

  /** Goes past the record last peeked. */
  pass(): void {
    this.#peeked = null
  }
}

const standing = (kafka: KafkaRecord): Standing => {
  try {
    return { kafka, record: decodeUserRecord(kafka.value), problem: '' }
  } catch (error) {
    return { kafka, record: null, problem: error instanceof Error ? error.message : String(error) }
  }
}
