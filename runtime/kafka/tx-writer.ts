import { setTimeout as delay } from 'node:timers/promises'
import type { Producer, RecordMetadata } from 'kafkajs'
import { classify, classifyWrite } from './classify.ts'
import type { Client } from './client.ts'
import { kafkajs } from './kafkajs.ts'
import type { KafkaLimits } from './limits.ts'
import { KafkaFailure, type OutgoingRecord, type TxWriter } from './port.ts'
import { within } from './within.ts'

type State = 'open' | 'writing' | 'spent'

type Batch = Parameters<TxWriter['commitBatch']>[0]
type Reader = Parameters<TxWriter['proveUnfenced']>[0]

/** Between two tries to begin while the markers of the last transaction are still on their way. */
const beginRetryMs = 10

/** One transactional producer behind the guards that kafkajs needs; see docs/kafka.md. */
export class GuardedTxWriter implements TxWriter {
  readonly #client: Client
  readonly #producer: Producer
  readonly #id: string
  readonly #limits: KafkaLimits
  #state: State = 'open'
  #written = 0

  private constructor(options: { client: Client; producer: Producer; id: string; limits: KafkaLimits }) {
    this.#client = options.client
    this.#producer = options.producer
    this.#id = options.id
    this.#limits = options.limits
  }

  /**
   * Connects and fences: kafkajs asks for its producer id lazily, so an empty transaction is opened and aborted.
   * @param client its own: it is cut with the writer
   */
  static async open({
    client,
    transactionalId,
    limits,
  }: {
    readonly client: Client
    readonly transactionalId: string
    readonly limits: KafkaLimits
  }): Promise<GuardedTxWriter> {
    const doing = `open transactional writer ${transactionalId}`
    const producer = client.kafka.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: limits.transactionMs,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    const fence = async (): Promise<void> => {
      await producer.connect()
      const transaction = await producer.transaction()
      await transaction.abort()
    }
    try {
      await within(limits.openWriterMs, doing, fence())
    } catch (error) {
      client.cut()
      throw classify(error, doing)
    }
    return new GuardedTxWriter({ client, producer, id: transactionalId, limits })
  }

  async commitBatch(batch: Batch): Promise<void> {
    this.#checkOpen()
    const { maxRecordsPerWriter } = this.#limits
    this.#written += batch.records.length
    if (this.#written > maxRecordsPerWriter) {
      this.#spend()
      throw new KafkaFailure(
        'unknown',
        `transactional writer ${this.#id} has written ${this.#written} records; open another`,
      )
    }
    await this.#alone(`transaction of ${batch.records.length} records by ${this.#id}`, () => this.#transact(batch))
  }

  async proveUnfenced(as: Reader): Promise<void> {
    this.#checkOpen()
    await this.#alone(`ask whether ${this.#id} was fenced`, over => this.#beginAndAbort(as, over))
  }

  /** kafkajs loses and repeats records when two operations of a producer overlap and an answer is lost. */
  #checkOpen(): void {
    if (this.#state !== 'open') throw new KafkaFailure('unknown', `transactional writer ${this.#id} is ${this.#state}`)
  }

  async #alone(doing: string, work: (over: AbortSignal) => Promise<void>): Promise<void> {
    this.#state = 'writing'
    const over = new AbortController()
    try {
      await within(this.#limits.commitMs, doing, work(over.signal))
    } catch (error) {
      // Its state after an error can't be told: kafkajs neither bumps the epoch nor asks how the commit ended. What it
      // may still be retrying must not go out either.
      this.#spend()
      throw classifyWrite(error, doing)
    } finally {
      over.abort()
    }
    this.#state = 'open'
  }

  async #transact({ records, groupOffset }: Batch): Promise<void> {
    const transaction = await this.#producer.transaction()
    const timeout = this.#limits.requestMs
    const acks = await transaction.sendBatch({ acks: -1, timeout, topicMessages: toTopicMessages(records) })
    checkAcks(records, acks)
    if (groupOffset) {
      const { group, topic, partition, offset, metadata } = groupOffset
      const entry = { partition, offset: `${offset}`, metadata }
      await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions: [entry] }] })
    }
    await transaction.commit()
  }

  /** Nothing is asked of the coordinator for an empty transaction, so an offset goes into it. */
  async #beginAndAbort({ group, topic, partition }: Reader, over: AbortSignal): Promise<void> {
    const transaction = await this.#producer.transaction()
    const topics = [{ topic, partitions: [{ partition, offset: '0' }] }]
    while (!over.aborted)
      try {
        await transaction.sendOffsets({ consumerGroupId: group, topics })
        return await transaction.abort()
      } catch (error) {
        // Unlike a record's, this beginning is not tried again by the client.
        if ((error as { readonly type?: string }).type !== 'CONCURRENT_TRANSACTIONS') throw error
        await delay(beginRetryMs)
      }
  }

  #spend(): void {
    this.#state = 'spent'
    this.#client.cut()
  }

  async close(): Promise<void> {
    const goodbye = this.#state === 'open' ? this.#producer.disconnect() : Promise.resolve()
    await within(this.#limits.closeMs, `close transactional writer ${this.#id}`, goodbye).catch(() => {})
    this.#spend()
  }
}

type Outgoing = { key: Buffer | null; value: Buffer; partition: number; timestamp: string }

const toTopicMessages = (records: readonly OutgoingRecord[]): { topic: string; messages: Outgoing[] }[] => {
  const byTopic = new Map<string, Outgoing[]>()
  for (const { topic, key, value, partition, timestampMs } of records) {
    const messages = byTopic.get(topic) ?? []
    if (messages.length === 0) byTopic.set(topic, messages)
    messages.push({ key, value, partition, timestamp: `${timestampMs}` })
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }))
}

/** A leader that moves during a send can leave a partition out of the answer though `send` resolves. */
const checkAcks = (records: readonly OutgoingRecord[], acks: readonly RecordMetadata[]): void => {
  const expected = new Set(records.map(({ topic, partition }) => `${topic}-${partition}`))
  for (const { topicName, partition, errorCode } of acks)
    if (errorCode !== 0 || !expected.delete(`${topicName}-${partition}`))
      throw new KafkaFailure(
        'unknown',
        `unexpected acknowledgement of ${topicName}-${partition}, error code ${errorCode}`,
      )
  if (expected.size > 0) throw new KafkaFailure('unknown', `no acknowledgement of ${[...expected].join(', ')}`)
}
