import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, vi } from 'vitest'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaLimits } from '../../runtime/kafka/limits.ts'
import type { KafkaPort, OutgoingRecord } from '../../runtime/kafka/port.ts'
import { KafkaFrames } from './kafka-frames.ts'
import { openProxiedKafka, type ProxiedKafka } from './proxied-kafka.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/** As far from each other as the usual ones, but short. */
export const limits = {
  connectMs: 1000,
  requestMs: 1200,
  commitMs: 4000,
  openWriterMs: 6000,
  threadStartMs: 10_000,
  askMs: 4000,
  joinMs: 30_000,
  closeMs: 800,
} satisfies Partial<KafkaLimits>
/** What ends in doubt does so within its limit; what is above is the machine's. */
export const slackMs = 2500
export const soon = { timeout: 30_000, interval: 20 }

/** The real broker behind a proxy, for the tests of one file. */
export class KafkaBehindProxy {
  readonly stem: string
  readonly frames = new KafkaFrames()
  readonly #opened: KafkaPort[] = []
  #brokers: readonly string[] = []
  #proxied: ProxiedKafka | null = null
  #direct: KafkaPort | null = null
  #names = 0

  /** Starts before the tests of the file, ends after them, and is without faults at the beginning of each. */
  constructor(name: string) {
    this.stem = `${name}_${process.pid}_${Date.now().toString(36)}`
    beforeAll(async () => {
      await this.#start()
      // A broker that has just started elects the coordinator of a group when it is first asked; not every test waits.
      const topic = await this.newTopic()
      const offsets = new Map([[0, { offset: 0n, metadata: '' }]])
      await this.direct.admin.setOffsets({ group: topic, topic, offsets })
    })
    afterEach(async () => {
      this.frames.clear()
      this.proxy.resume()
      await this.proxy.accept()
    })
    afterAll(async () => {
      await Promise.all(this.#opened.map(port => port.close()))
      await this.#proxied?.[Symbol.asyncDispose]()
    })
  }

  get proxy(): TcpProxy {
    if (!this.#proxied) throw new Error('the proxy is not open yet')
    return this.#proxied.proxy
  }

  /** Goes to the broker itself: sees what is true. */
  get direct(): KafkaPort {
    if (!this.#direct) throw new Error('the broker is not up yet')
    return this.#direct
  }

  async #start(): Promise<void> {
    this.#proxied = await openProxiedKafka({ plan: this.frames.plan })
    this.#brokers = this.#proxied.stack.kafka.brokers
    this.#direct = this.openDirect()
  }

  /** A client of its own behind the proxy. */
  open(own: Partial<KafkaLimits> = limits): KafkaPort {
    return this.#open({ brokers: [this.proxy.address], limits: own, sessionTimeoutMs: 2000 })
  }

  openDirect({ sessionTimeoutMs = 2000 }: { readonly sessionTimeoutMs?: number } = {}): KafkaPort {
    return this.#open({ brokers: this.#brokers, limits: {}, sessionTimeoutMs })
  }

  #open(options: {
    readonly brokers: readonly string[]
    readonly limits: Partial<KafkaLimits>
    readonly sessionTimeoutMs: number
  }): KafkaPort {
    const port = openKafka({
      ...options,
      clientId: `${this.stem}_${this.#opened.length}`,
      log: pino({ level: 'silent' }),
      heartbeatIntervalMs: options.sessionTimeoutMs / 10,
      // As the bridge has them: the same writer, and the way to its thread.
      txWriters: 'threads',
    })
    this.#opened.push(port)
    return port
  }

  async newTopic(partitions = 1): Promise<string> {
    const topic = `${this.stem}_${++this.#names}`
    await this.direct.admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
    // Until its leaders are known to all, asking may fail.
    const isLed = async (): Promise<boolean> => {
      try {
        return (await this.direct.bounds(topic)).size === partitions
      } catch {
        return false
      }
    }
    await vi.waitUntil(isLed, soon)
    return topic
  }

  async readAll(topic: string): Promise<string[]> {
    const tail = await this.direct.readTail({ topic, partition: 0, count: 100_000 })
    return tail.map(({ value }) => value.toString())
  }
}

export const record = (topic: string, text: string, partition = 0): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(text),
  timestampMs: 5n,
})
export const batch = (topic: string): OutgoingRecord[] => ['a', 'b', 'c'].map(text => record(topic, text))

export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it resolved',
    error => error,
  )
export const timed = async <T>(work: Promise<T>): Promise<{ readonly ms: number; readonly result: T }> => {
  const startMs = performance.now()
  const result = await work
  return { ms: performance.now() - startMs, result }
}
