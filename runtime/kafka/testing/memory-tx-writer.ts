import { classifyWrite } from '../classify.ts'
import { KafkaFailure, type OutgoingRecord, type TxWriter } from '../port.ts'
import type { RequestKind } from './memory-broker.ts'
import type { MemoryKafka } from './memory-kafka.ts'
import type { MemoryLog } from './memory-log.ts'
import type { MemoryProducer } from './memory-producer.ts'

/** What Kafka adds to a batch of records. */
const batchOverheadBytes = 70

/** One epoch of a transactional id, in as many requests as the real one takes. */
export class MemoryTxWriter implements TxWriter {
  readonly #kafka: MemoryKafka
  readonly #id: string
  readonly #producer: MemoryProducer
  readonly #epoch: number
  #state: 'open' | 'writing' | 'spent' = 'open'

  constructor(options: {
    readonly kafka: MemoryKafka
    readonly id: string
    readonly producer: MemoryProducer
    readonly epoch: number
  }) {
    this.#kafka = options.kafka
    this.#id = options.id
    this.#producer = options.producer
    this.#epoch = options.epoch
  }

  async commitBatch({ records, groupOffset }: Parameters<TxWriter['commitBatch']>[0]): Promise<void> {
    const [producer, epoch] = [this.#producer, this.#epoch]
    await this.#alone(`transaction of ${records.length} records by ${this.#id}`, async () => {
      await this.#ask('begin-transaction', () => producer.begin(epoch))
      await this.#ask('produce', () => this.#produce(records))
      if (groupOffset) {
        const { group, topic, partition, offset, metadata } = groupOffset
        const offsets = this.#kafka.broker.offsets(group, topic)
        await this.#ask('add-offset', () => producer.addOffset(epoch, offsets, partition, { offset, metadata }))
      }
      await this.#ask('end-transaction', () => producer.commit(epoch))
    })
  }

  async proveUnfenced(): Promise<void> {
    const [producer, epoch] = [this.#producer, this.#epoch]
    await this.#alone(`ask whether ${this.#id} was fenced`, async () => {
      await this.#ask('begin-transaction', () => producer.begin(epoch))
      await this.#ask('abort-transaction', () => producer.abort(epoch))
    })
  }

  async #alone(doing: string, work: () => Promise<void>): Promise<void> {
    if (this.#state !== 'open') throw new KafkaFailure('unknown', `transactional writer ${this.#id} is ${this.#state}`)
    this.#state = 'writing'
    try {
      await work()
    } catch (error) {
      this.#state = 'spent'
      throw classifyWrite(error, doing)
    }
    this.#state = 'open'
  }

  #ask(kind: RequestKind, effect: () => void | Promise<void>): Promise<void> {
    return this.#kafka.ask({ kind, target: this.#id }, effect)
  }

  /** All partitions are written, but those whose batch is too large: these fail the whole, once it is aborted. */
  #produce(records: readonly OutgoingRecord[]): void {
    const { broker } = this.#kafka
    let tooLarge: KafkaFailure | null = null
    for (const [log, batch] of byLog(records, ({ topic, partition }) => broker.log(topic, partition))) {
      const { config } = broker.topic((batch[0] as OutgoingRecord).topic)
      const bytes = batch.reduce((sum, { key, value }) => sum + value.length + (key?.length ?? 0), batchOverheadBytes)
      const largest = Number(config.get('max.message.bytes'))
      if (bytes > largest) {
        tooLarge = new KafkaFailure('fatal', `a batch of ${bytes} bytes is over max.message.bytes=${largest}`)
        continue
      }
      const stamped = broker.stamps((batch[0] as OutgoingRecord).topic) ? broker.nowMs : null
      const appended = batch.map(({ key, value, timestampMs }) => ({ key, value, timestampMs: stamped ?? timestampMs }))
      this.#producer.write(this.#epoch, log, appended)
    }
    if (tooLarge) throw tooLarge
  }

  close(): Promise<void> {
    this.#state = 'spent'
    return Promise.resolve()
  }
}

const byLog = (
  records: readonly OutgoingRecord[],
  logOf: (record: OutgoingRecord) => MemoryLog,
): ReadonlyMap<MemoryLog, readonly OutgoingRecord[]> => Map.groupBy(records, logOf)
