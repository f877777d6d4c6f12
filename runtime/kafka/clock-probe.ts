import type { Producer } from 'kafkajs'
import { classify } from './classify.ts'
import type { Client } from './client.ts'
import { kafkajs } from './kafkajs.ts'
import type { KafkaLimits } from './limits.ts'
import { KafkaFailure } from './port.ts'
import { within } from './within.ts'

/** What kafkajs passes on when a topic keeps the time of the writer. */
const notStamped = '-1'

type Open = { readonly client: Client; readonly producer: Producer; readonly connected: Promise<void> }

/** Reads the broker's clock from the acknowledgements of probe records. Connects when first asked. */
export class ClockProbe {
  readonly #openClient: () => Client
  readonly #limits: KafkaLimits
  #open: Open | null = null

  constructor(options: { readonly openClient: () => Client; readonly limits: KafkaLimits }) {
    this.#openClient = options.openClient
    this.#limits = options.limits
  }

  async timeMs(topic: string): Promise<bigint> {
    const doing = `read the broker's clock through topic ${topic}`
    let stamped: string | undefined
    try {
      stamped = await within(this.#limits.askMs, doing, this.#probe(topic))
    } catch (error) {
      this.#drop()
      throw classify(error, doing)
    }
    if (stamped === undefined) throw new KafkaFailure('retriable', `${doing}: the probe was not acknowledged`)
    if (stamped === notStamped)
      throw new KafkaFailure(
        'fatal',
        `${doing}: its records carry the writer's time; set message.timestamp.type=LogAppendTime on ${topic}`,
      )
    return BigInt(stamped)
  }

  /** A probe that is sent twice, because an answer was lost, harms nobody: the last answer counts. */
  async #probe(topic: string): Promise<string | undefined> {
    this.#open ??= this.#connect()
    const { producer, connected } = this.#open
    await connected
    const messages = [{ partition: 0, value: Buffer.alloc(0) }]
    const [ack] = await producer.send({ topic, acks: -1, timeout: this.#limits.requestMs, messages })
    return ack?.logAppendTime
  }

  #connect(): Open {
    const client = this.#openClient()
    const producer = client.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      retry: { retries: 3 },
    })
    return { client, producer, connected: producer.connect() }
  }

  #drop(): void {
    this.#open?.client.cut()
    this.#open = null
  }

  async close(): Promise<void> {
    const goodbye = this.#open?.producer.disconnect() ?? Promise.resolve()
    await within(this.#limits.closeMs, 'close the clock probe', goodbye).catch(() => {})
    this.#drop()
  }
}
