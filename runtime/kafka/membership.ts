import kafkajs, { type Consumer, type Kafka } from 'kafkajs'
import type { LazyAdmin } from './admin.ts'
import { classify } from './classify.ts'
import {
  type Assignment,
  type CommittedOffset,
  type JoinOptions,
  KafkaFailure,
  type Membership,
  type Owner,
} from './port.ts'

type Timing = { readonly sessionTimeoutMs: number; readonly heartbeatIntervalMs: number }

/**
 * Membership of a group and nothing more: kafkajs heartbeats and rebalances, and all its partitions stay paused.
 * Records are read by a Fetcher from offsets that the owner has checked, so kafkajs's own offset handling, which
 * resets and races, decides nothing.
 */
export class PausedMembership implements Membership {
  readonly #consumer: Consumer
  readonly #admin: LazyAdmin
  readonly #group: string
  readonly #topic: string
  #current: Assignment | null = null
  #memberId: string | null = null
  #left = false

  private constructor(consumer: Consumer, admin: LazyAdmin, { group, topic }: Pick<JoinOptions, 'group' | 'topic'>) {
    this.#consumer = consumer
    this.#admin = admin
    this.#group = group
    this.#topic = topic
  }

  static async join(
    { kafka, admin }: { readonly kafka: Kafka; readonly admin: LazyAdmin },
    options: JoinOptions & Timing,
  ): Promise<PausedMembership> {
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
    const membership = new PausedMembership(consumer, admin, options)
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
      this.#memberId = payload.memberId
      this.#current = { generation: ++generation, partitions }
      onAssignment(this.#current)
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.#left) return
      onFailure(classify(payload.error, `membership of group ${group}`))
    })
  }

  async owner(partition: number): Promise<Owner> {
    const memberId = await this.#admin.use(`ask who owns ${this.#topic}-${partition}`, async admin => {
      const { groups } = await admin.describeGroups([this.#group])
      return groups[0] ? ownerIn(groups[0], this.#topic, partition) : null
    })
    if (memberId === null) return 'nobody'
    // After `leave` our id may live on at the coordinator until the session times out: it is nobody's of ours any more.
    return memberId === this.#memberId && !this.#left ? 'this member' : 'another member'
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

/** The id of the member that the coordinator has given a partition, if there is one. */
const ownerIn = ({ state, members }: kafkajs.GroupDescription, topic: string, partition: number): string | null => {
  // Between two generations the assignments still shown are those of the one that is over.
  if (state !== 'Stable') return null
  const owner = members.find(({ memberAssignment }) =>
    kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic]?.includes(partition),
  )
  return owner?.memberId ?? null
}
