import { type Fetcher, KafkaFailure, type KafkaRecord } from '../port.ts'
import type { MemoryKafka } from './memory-kafka.ts'

const defaultMaxBytes = 512 * 1024

type Answer = { readonly records: readonly KafkaRecord[]; readonly next: bigint }

/** Reads committed records; waits for some, for a bounded time, when there are none. */
export class MemoryFetcher implements Fetcher {
  readonly #kafka: MemoryKafka
  readonly #closing = new AbortController()

  constructor(kafka: MemoryKafka) {
    this.#kafka = kafka
  }

  async read({
    topic,
    partition,
    offset,
    maxBytes = defaultMaxBytes,
  }: Parameters<Fetcher['read']>[0]): Promise<Answer> {
    this.#checkOpen()
    const { broker } = this.#kafka
    const answer = await this.#kafka.ask({ kind: 'fetch', target: topic }, async () => {
      const look = (): Answer =>
        broker.log(topic, partition).read({ offset, maxBytes, maxCount: broker.options.fetchCount() })
      const found = look()
      if (found.next > offset) return found
      await this.#more(topic, partition)
      return look()
    })
    this.#checkOpen()
    return answer
  }

  /** Until there is more, the wait is over, or nobody wants it any more. */
  async #more(topic: string, partition: number): Promise<void> {
    const { clock, fetchWaitMs } = this.#kafka.broker.options
    const over = new AbortController()
    const { changed } = this.#kafka.broker.log(topic, partition)
    await Promise.race([changed, clock.sleep(fetchWaitMs, AbortSignal.any([over.signal, this.#closing.signal]))])
    // A reason of our own: the standard one has a stack, which costs more than all the rest.
    over.abort('over')
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new KafkaFailure('retriable', 'the fetcher is closed')
  }

  close(): Promise<void> {
    this.#closing.abort()
    return Promise.resolve()
  }
}
