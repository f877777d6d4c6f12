import type { Consumer, Kafka } from 'kafkajs'
import { classify } from './classify.ts'
import { type Assignment, type CommittedOffset, type JoinOptions, KafkaFailure, type Membership } from './port.ts'

type Timing = { readonly sessionTimeoutMs: number; readonly heartbeatIntervalMs: number }

/**
 * Membership of a group and nothing more: kafkajs heartbeats and rebalances, and all its partitions stay paused.
 * Records are read by a Fetcher from offsets that the owner has checked, so kafkajs's own offset handling, which
 * resets and races, decides nothing.
 */
export class PausedMembership implements Membership {
  readonly #consumer: Consumer
  readonly #topic: string
  #current: Assignment | null = null
  #left = false

  private constructor(consumer: Consumer, topic: string) {
    this.#consumer = consumer
    this.#topic = topic
  }

  static async join(kafka: Kafka, options: JoinOptions & Timing): Promise<PausedMembership> {
    const { group, topic, sessionTimeoutMs, heartbeatIntervalMs } = options
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs * 2, 10_000),
      // With every partition paused kafkajs sleeps this long between heartbeats.
      maxWaitTimeInMs: heartbeatIntervalMs,
      allowAutoTopicCreation: false,
      readUncommitted: false,
    })
    const membership = new PausedMembership(consumer, topic)
    membership.#listen(options)
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic] })
      await consumer.run({
        autoCommit: false,
        eachBatch: () => Promise.reject(new Error('a paused partition was delivered')),
      })
    } catch (error) {
      await consumer.disconnect().catch(() => {})
      throw classify(error, `join group ${group}`)
    }
    return membership
  }

  #listen({ group, onAssignment, onFailure }: JoinOptions): void {
    const consumer = this.#consumer
    let generation = 0
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const partitions = [...(payload.memberAssignment[this.#topic] ?? [])].sort((a, b) => a - b)
      // Before the first fetch of this assignment: listeners run before the runner goes on.
      consumer.pause([{ topic: this.#topic, partitions }])
      this.#current = { generation: ++generation, partitions }
      onAssignment(this.#current)
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.#left) return
      onFailure(classify(payload.error, `membership of group ${group}`))
    })
  }

  async commit(assignment: Assignment, partition: number, { offset, metadata }: CommittedOffset): Promise<void> {
    if (assignment !== this.#current) throw new KafkaFailure('superseded', `the assignment is over`)
    try {
      await this.#consumer.commitOffsets([{ topic: this.#topic, partition, offset: `${offset}`, metadata }])
    } catch (error) {
      throw classify(error, `commit offset ${offset} of ${this.#topic}-${partition}`)
    }
  }

  async leave(): Promise<void> {
    this.#left = true
    await this.#consumer.disconnect().catch(() => {})
  }
}
