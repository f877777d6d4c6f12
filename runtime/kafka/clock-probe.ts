import kafkajs, { type Kafka, type Producer } from 'kafkajs'
import { classify } from './classify.ts'
import { KafkaFailure } from './port.ts'

/** What kafkajs passes on when a topic keeps the time of the writer. */
const notStamped = '-1'

/** Reads the broker's clock from the acknowledgements of probe records. Connects when first asked. */
export class ClockProbe {
  readonly #kafka: Kafka
  #producer: Promise<Producer> | null = null

  constructor(kafka: Kafka) {
    this.#kafka = kafka
  }

  async timeMs(topic: string): Promise<bigint> {
    const doing = `read the broker's clock through topic ${topic}`
    try {
      this.#producer ??= this.#connect()
      const producer = await this.#producer
      // A probe that is sent twice, because an answer was lost, harms nobody: the last answer counts.
      const acks = await producer.send({ topic, acks: -1, messages: [{ partition: 0, value: Buffer.alloc(0) }] })
      const stamped = acks[0]?.logAppendTime
      if (stamped === undefined) throw new KafkaFailure('retriable', `${doing}: the probe was not acknowledged`)
      if (stamped !== notStamped) return BigInt(stamped)
    } catch (error) {
      this.#drop()
      throw classify(error, doing)
    }
    throw new KafkaFailure(
      'fatal',
      `${doing}: its records carry the writer's time; set message.timestamp.type=LogAppendTime on ${topic}`,
    )
  }

  async #connect(): Promise<Producer> {
    const producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: 3 },
    })
    await producer.connect()
    return producer
  }

  #drop(): void {
    const dropped = this.#producer
    this.#producer = null
    void dropped?.then(producer => producer.disconnect()).catch(() => {})
  }

  async close(): Promise<void> {
    const open = this.#producer
    this.#producer = null
    await open?.then(producer => producer.disconnect()).catch(() => {})
  }
}
