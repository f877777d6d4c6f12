import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, GroupDescription } from 'kafkajs'
import type { LazyAdmin } from './admin.ts'
import { classify } from './classify.ts'
import type { Client } from './client.ts'
import { kafkajs } from './kafkajs.ts'
import type { KafkaLimits } from './limits.ts'
import { type Committer, OffsetCommitter } from './offset-committer.ts'
import {
  type Assignment,
  type CommittedOffset,
  type JoinOptions,
  KafkaFailure,
  type Membership,
  type Owner,
} from './port.ts'
import { within } from './within.ts'

type Timing = { readonly sessionTimeoutMs: number; readonly heartbeatIntervalMs: number }

type Parts = {
  readonly openClient: () => Client
  readonly admin: LazyAdmin
  readonly limits: KafkaLimits
}

const commitRetryMs = 100

/** Longer than a session: a member that works to completion comes back to a rebalance late. */
const rebalanceTimeoutOf = (sessionTimeoutMs: number): number => Math.max(sessionTimeoutMs * 2, 10_000)

/**
 * Membership of a group and nothing more: kafkajs heartbeats and rebalances, and all its partitions stay paused.
 * Records are read by a Fetcher from offsets that the owner has checked, so kafkajs's own offset handling, which
 * resets and races, decides nothing.
 */
export class PausedMembership implements Membership {
  readonly #client: Client
  readonly #consumer: Consumer
  readonly #committer: OffsetCommitter
  readonly #admin: LazyAdmin
  readonly #limits: KafkaLimits
  readonly #options: JoinOptions & Timing
  readonly #first = Promise.withResolvers<void>()
  readonly #watch: NodeJS.Timeout
  #generation = 0
  #current: Assignment | null = null
  /** What the group gave us when we joined last. */
  #granted: readonly number[] = []
  /** We gave it up ourselves, because the group may have given it to another. */
  #isSilent = false
  #memberId: string | null = null
  /** The generation of the broker, which kafkajs tells with a heartbeat only. */
  #committedAs = Promise.withResolvers<Committer>()
  #heardMs = performance.now()
  #left = false

  private constructor({ openClient, admin, limits }: Parts, options: JoinOptions & Timing) {
    this.#client = openClient()
    this.#admin = admin
    this.#limits = limits
    this.#options = options
    this.#committer = new OffsetCommitter({ openClient, limits, group: options.group })
    this.#consumer = this.#client.kafka.consumer({
      groupId: options.group,
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: options.heartbeatIntervalMs,
      rebalanceTimeout: rebalanceTimeoutOf(options.sessionTimeoutMs),
      // With every partition paused kafkajs sleeps this long between heartbeats.
      maxWaitTimeInMs: options.heartbeatIntervalMs,
      allowAutoTopicCreation: false,
      readUncommitted: false,
    })
    this.#listen()
    this.#watch = setInterval(() => this.#checkHeard(), options.heartbeatIntervalMs)
  }

  /** Resolves with the first assignment. */
  static async join(parts: Parts, options: JoinOptions & Timing): Promise<PausedMembership> {
    const doing = `join group ${options.group}`
    const membership = new PausedMembership(parts, options)
    const givenUp = Promise.withResolvers<never>()
    const giveUp = (): void => givenUp.reject(new KafkaFailure('superseded', `${doing}: given up, asked to stop`))
    givenUp.promise.catch(() => {})
    options.signal?.addEventListener('abort', giveUp, { once: true })
    if (options.signal?.aborted) giveUp()
    const running = membership.#run()
    running.catch(() => {})
    try {
      await within(parts.limits.joinMs, doing, Promise.race([running, givenUp.promise]))
    } catch (error) {
      await membership.leave()
      throw classify(error, doing)
    }
    return membership
  }

  async #run(): Promise<void> {
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [this.#options.topic] })
    await this.#consumer.run({
      autoCommit: false,
      eachBatch: () => Promise.reject(new Error('a paused partition was delivered')),
    })
    // `run` resolves too when the group refused us: it only tells its crash.
    await this.#first.promise
  }

  #listen(): void {
    const consumer = this.#consumer
    const { group, topic, onFailure } = this.#options
    this.#first.promise.catch(() => {})
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const partitions = [...(payload.memberAssignment[topic] ?? [])].sort((a, b) => a - b)
      // Before the first fetch of this assignment: listeners run before the runner goes on. A fetch would load offsets,
      // reset those out of range, and deliver records that nobody asked for.
      consumer.pause([{ topic, partitions }])
      this.#heardMs = performance.now()
      this.#memberId = payload.memberId
      this.#granted = partitions
      this.#isSilent = false
      this.#assign(partitions)
      this.#first.resolve()
    })
    consumer.on(consumer.events.HEARTBEAT, ({ payload: { memberId, groupGenerationId } }) => {
      this.#heardMs = performance.now()
      if (memberId !== this.#memberId) return
      // The group has waited longer than we have: it never gave away what we gave up, and will not tell us again.
      if (this.#isSilent) this.#assign(this.#granted)
      this.#isSilent = false
      this.#committedAs.resolve({ memberId, groupGenerationId })
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.#left) return
      const failure = classify(payload.error, `membership of group ${group}`)
      this.#first.reject(failure)
      onFailure(failure)
    })
  }

  #assign(partitions: readonly number[]): void {
    if (this.#left) return
    this.#endAssignment()
    this.#committedAs = Promise.withResolvers()
    this.#current = { generation: ++this.#generation, partitions }
    this.#options.onAssignment(this.#current)
  }

  /** Commits that still wait to learn their generation need not wait any more. */
  #endAssignment(): void {
    this.#committedAs.promise.catch(() => {})
    this.#committedAs.reject(new KafkaFailure('superseded', `group ${this.#options.group}: the assignment is over`))
  }

  /**
   * A member whose heartbeats are not answered is out of the group after the session timeout, though kafkajs does not
   * say so: it retries, or waits for ever for an answer before it starts anew.
   */
  #checkHeard(): void {
    const { sessionTimeoutMs } = this.#options
    const silentMs = performance.now() - this.#heardMs
    if (silentMs > sessionTimeoutMs && this.#current && !this.#isSilent) {
      this.#isSilent = true
      this.#assign([])
    }
    if (silentMs < sessionTimeoutMs + rebalanceTimeoutOf(sessionTimeoutMs)) return
    this.#heardMs = performance.now()
    this.#client.reset()
  }

  async owner(partition: number): Promise<Owner> {
    const { group, topic } = this.#options
    const memberId = await this.#admin.use(`ask who owns ${topic}-${partition}`, async admin => {
      const { groups } = await admin.describeGroups([group])
      return groups[0] ? ownerIn(groups[0], topic, partition) : null
    })
    if (memberId === null) return 'nobody'
    // After `leave` our id may live on at the coordinator until the session times out: it is nobody's of ours any more.
    return memberId === this.#memberId && !this.#left ? 'this member' : 'another member'
  }

  async commit(assignment: Assignment, partition: number, offset: CommittedOffset): Promise<void> {
    const doing = `commit offset ${offset.offset} of ${this.#options.topic}-${partition}`
    const over = new AbortController()
    try {
      await within(this.#limits.askMs, doing, this.#commit({ assignment, partition, offset, doing, over: over.signal }))
    } finally {
      over.abort()
    }
  }

  /** Again and again while the coordinator cannot be reached, but never under another assignment than this one. */
  async #commit({
    assignment,
    partition,
    offset: { offset, metadata },
    doing,
    over,
  }: {
    readonly assignment: Assignment
    readonly partition: number
    readonly offset: CommittedOffset
    readonly doing: string
    readonly over: AbortSignal
  }): Promise<void> {
    const check = (): void => {
      if (assignment !== this.#current || this.#left)
        throw new KafkaFailure('superseded', `${doing}: the assignment is over`)
    }
    check()
    const committer = await this.#committedAs.promise
    const topics = [{ topic: this.#options.topic, partitions: [{ partition, offset: `${offset}`, metadata }] }]
    while (!over.aborted) {
      // Another assignment may have come while we waited, and with it another generation and another owner.
      check()
      const failure = await this.#committer.commit(committer, topics)
      if (!failure) return
      if (failure.kind !== 'retriable') throw failure
      await delay(commitRetryMs)
    }
  }

  async leave(): Promise<void> {
    if (this.#left) return
    this.#left = true
    clearInterval(this.#watch)
    this.#endAssignment()
    const goodbyes = Promise.all([this.#consumer.disconnect(), this.#committer.close()])
    await within(this.#limits.closeMs, `leave group ${this.#options.group}`, goodbyes).catch(() => {})
    this.#client.cut()
  }
}

/** The id of the member that the coordinator has given a partition, if there is one. */
const ownerIn = ({ state, members }: GroupDescription, topic: string, partition: number): string | null => {
  // Between two generations the assignments still shown are those of the one that is over.
  if (state !== 'Stable') return null
  const owner = members.find(({ memberAssignment }) =>
    kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment[topic]?.includes(partition),
  )
  return owner?.memberId ?? null
}
