import kafkajs, { type Kafka, type Producer, type RecordMetadata } from 'kafkajs'
import { classify, classifyWrite } from './classify.ts'
import { KafkaFailure, type OutgoingRecord, type TxWriter } from './port.ts'

const transactionTimeoutMs = 10_000

/** The sequence of a partition wraps, loudly, after 2^31 records of one producer; it is renewed long before. */
const maxRecords = 1_500_000_000

type State = 'open' | 'writing' | 'spent'

/** One transactional producer behind the guards that kafkajs needs; see docs/kafka.md. */
export class GuardedTxWriter implements TxWriter {
  readonly #producer: Producer
  readonly #id: string
  #state: State = 'open'
  #written = 0

  private constructor(producer: Producer, id: string) {
    this.#producer = producer
    this.#id = id
  }

  /** Connects and fences: kafkajs asks for its producer id lazily, so an empty transaction is opened and aborted. */
  static async open({ kafka, transactionalId }: { kafka: Kafka; transactionalId: string }): Promise<GuardedTxWriter> {
    const producer = kafka.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: transactionTimeoutMs,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    try {
      await producer.connect()
      const transaction = await producer.transaction()
      await transaction.abort()
    } catch (error) {
      await producer.disconnect().catch(() => {})
      throw classify(error, `open transactional writer ${transactionalId}`)
    }
    return new GuardedTxWriter(producer, transactionalId)
  }

  async commitBatch({ records, groupOffset }: Parameters<TxWriter['commitBatch']>[0]): Promise<void> {
    // kafkajs loses and repeats records when two operations of a producer overlap and an answer is lost.
    if (this.#state !== 'open') throw new KafkaFailure('unknown', `transactional writer ${this.#id} is ${this.#state}`)
    this.#written += records.length
    if (this.#written > maxRecords)
      throw new KafkaFailure(
        'unknown',
        `transactional writer ${this.#id} has written ${this.#written} records; open another`,
      )
    this.#state = 'writing'
    try {
      const transaction = await this.#producer.transaction()
      const acks = await transaction.sendBatch({ acks: -1, topicMessages: toTopicMessages(records) })
      checkAcks(records, acks)
      if (groupOffset) {
        const { group, topic, partition, offset, metadata } = groupOffset
        const entry = { partition, offset: `${offset}`, metadata }
        await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic, partitions: [entry] }] })
      }
      await transaction.commit()
    } catch (error) {
      // Its state after an error can't be told: kafkajs neither bumps the epoch nor asks how the commit ended.
      this.#state = 'spent'
      throw classifyWrite(error, `transaction of ${records.length} records by ${this.#id}`)
    }
    this.#state = 'open'
  }

  async close(): Promise<void> {
    this.#state = 'spent'
    await this.#producer.disconnect().catch(() => {})
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
