import type { Clock } from '../../clock.ts'
import { type CommittedOffset, KafkaFailure, type TopicSpec } from '../port.ts'
import { MemoryGroup } from './memory-group.ts'
import { MemoryKafka } from './memory-kafka.ts'
import { MemoryLog } from './memory-log.ts'
import { MemoryProducer } from './memory-producer.ts'

export type RequestKind =
  | 'init-producer'
  | 'begin-transaction'
  | 'produce'
  | 'probe-clock'
  | 'add-offset'
  | 'end-transaction'
  | 'abort-transaction'
  | 'fetch'
  | 'list-offsets'
  | 'join-group'
  | 'leave-group'
  | 'commit-offset'
  | 'fetch-offsets'
  | 'describe-group'
  | 'set-offsets'
  | 'describe-topics'
  | 'create-topics'
  | 'delete-topics'

/** One request of one client. `target`: the topic, group or transactional id that it is about. */
export type BrokerRequest = {
  readonly client: string
  readonly kind: RequestKind
  readonly target: string
  /** Of `commit-offset`, and of `describe-group` when one partition's owner is asked for. */
  readonly partition?: number
}

/**
 * Lost before it did anything, lost after, held up on its way until nobody waits for it any more, or refused with an
 * error of its own.
 */
export type Delivery = 'delivered' | 'request-lost' | 'answer-lost' | { readonly lateMs: number } | KafkaFailure

type MemberCommit = {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: CommittedOffset
}

export type MemoryBrokerOptions = {
  /** Everything that waits here waits by it. */
  readonly clock: Clock
  /** The broker's own clock, which stamps LogAppendTime topics; `clock` unless it is to be another. */
  readonly brokerClockUs?: () => bigint
  /** What becomes of a request; asked once for each. */
  readonly network?: (request: BrokerRequest) => Delivery
  /** Told what a request did that was held up. */
  readonly onLate?: (request: BrokerRequest, outcome: 'done' | 'refused') => void
  /** Of the way there, and again of the way back. */
  readonly latencyMs?: (request: BrokerRequest) => number
  /** From the decision on a transaction until one of its partitions shows it. */
  readonly markerDelayMs?: () => number
  readonly rebalanceDelayMs?: () => number
  /** By how many members the partitions of a group move on at a rebalance. */
  readonly assignmentTurn?: () => number
  /** At most so many records in one answer. */
  readonly fetchCount?: () => number
  readonly fetchWaitMs?: number
  /** Sees each commit of a member before it counts; throwing refuses it. */
  readonly onMemberCommit?: (commit: MemberCommit) => void
  readonly sessionTimeoutMs?: number
  readonly transactionTimeoutMs?: number
}

type Topic = { readonly config: Map<string, string>; readonly logs: readonly MemoryLog[] }

const topicDefaults = {
  'cleanup.policy': 'delete',
  'max.message.bytes': '1048588',
  'message.timestamp.type': 'CreateTime',
  'min.insync.replicas': '1',
  'retention.ms': '604800000',
}

/**
 * One broker in memory: topics, transactions, groups. Each `client` of it is a KafkaPort of its own, as each process
 * has one. It passes the contract of the real one, and does nothing that it was not asked for: with a clock and hooks
 * that follow from a seed, so does everything here.
 */
export class MemoryBroker {
  readonly options: Required<MemoryBrokerOptions>
  readonly topics = new Map<string, Topic>()
  readonly #groups = new Map<string, MemoryGroup>()
  readonly #producers = new Map<string, MemoryProducer>()
  #clients = 0

  constructor(options: MemoryBrokerOptions) {
    this.options = {
      brokerClockUs: () => options.clock.nowUs(),
      network: () => 'delivered',
      onLate: () => {},
      latencyMs: () => 0,
      markerDelayMs: () => 0,
      rebalanceDelayMs: () => 0,
      assignmentTurn: () => 0,
      fetchCount: () => 1000,
      fetchWaitMs: 250,
      onMemberCommit: () => {},
      sessionTimeoutMs: 6000,
      transactionTimeoutMs: 10_000,
      ...options,
    }
  }

  client(name = `client-${++this.#clients}`): MemoryKafka {
    return new MemoryKafka(this, name)
  }

  addTopic({ topic, partitions, config = {} }: Pick<TopicSpec, 'topic' | 'partitions'> & Partial<TopicSpec>): void {
    if (this.topics.has(topic)) throw new Error(`topic ${topic} is there already`)
    const logs = Array.from({ length: partitions }, (_, partition) => new MemoryLog(`${topic}-${partition}`))
    this.topics.set(topic, { config: new Map(Object.entries({ ...topicDefaults, ...config })), logs })
  }

  deleteTopic(topic: string): void {
    this.topics.delete(topic)
    for (const group of this.#groups.values()) group.forget(topic)
  }

  topic(name: string): Topic {
    const topic = this.topics.get(name)
    if (!topic) throw new KafkaFailure('retriable', `topic ${name} does not exist`)
    return topic
  }

  log(topic: string, partition: number): MemoryLog {
    const log = this.topic(topic).logs[partition]
    if (!log) throw new KafkaFailure('retriable', `topic ${topic} has no partition ${partition}`)
    return log
  }

  /** Puts a committed record at an offset, control records before it where there is a hole; without one at the end. */
  put(topic: string, partition: number, { value, offset }: { readonly value: Buffer; readonly offset?: bigint }): void {
    const log = this.log(topic, partition)
    const at = offset ?? log.high
    if (at < log.high) throw new Error(`${topic}-${partition} is past offset ${at}`)
    for (let hole = log.high; hole < at; hole++) log.mark()
    log.append([{ key: null, value, timestampMs: 0n }], null)
  }

  get nowMs(): bigint {
    return this.options.brokerClockUs() / 1000n
  }

  /** Whether the topic's records carry the broker's time, not the writer's. */
  stamps(topic: string): boolean {
    return this.topic(topic).config.get('message.timestamp.type') === 'LogAppendTime'
  }

  group(name: string): MemoryGroup {
    const { clock, rebalanceDelayMs, assignmentTurn } = this.options
    const partitionCount = (topic: string): number => this.topics.get(topic)?.logs.length ?? 0
    const group = this.#groups.get(name) ?? new MemoryGroup({ clock, rebalanceDelayMs, assignmentTurn, partitionCount })
    this.#groups.set(name, group)
    return group
  }

  /** What a group has committed of a topic: the map itself, so that a test may look, and set what it likes. */
  offsets(group: string, topic: string): Map<number, CommittedOffset> {
    return this.group(group).offsets(topic)
  }

  producer(id: string): MemoryProducer {
    const { clock, markerDelayMs, transactionTimeoutMs: timeoutMs } = this.options
    const producer = this.#producers.get(id) ?? new MemoryProducer({ id, clock, markerDelayMs, timeoutMs })
    this.#producers.set(id, producer)
    return producer
  }

  /** Serves a request, unless the network does to it what it does. */
  async serve<T>(request: BrokerRequest, effect: () => T | Promise<T>): Promise<T> {
    await this.#travel(request)
    const delivery = this.options.network(request)
    if (delivery instanceof KafkaFailure) throw delivery
    if (delivery === 'request-lost') throw lost(request)
    if (typeof delivery === 'object') {
      void this.#late(request, delivery.lateMs, effect)
      throw lost(request)
    }
    for (const producer of this.#producers.values()) producer.expire()
    const answer = await effect()
    await this.#travel(request)
    if (delivery === 'answer-lost') throw lost(request)
    return answer
  }

  async #late(request: BrokerRequest, ms: number, effect: () => unknown): Promise<void> {
    await this.options.clock.sleep(ms)
    try {
      await effect()
    } catch {
      // Fenced, or over, meanwhile: whoever would be told of it is gone.
      return this.options.onLate(request, 'refused')
    }
    this.options.onLate(request, 'done')
  }

  async #travel(request: BrokerRequest): Promise<void> {
    const ms = this.options.latencyMs(request)
    await (ms > 0 ? this.options.clock.sleep(ms) : Promise.resolve())
  }
}

const lost = ({ kind, target }: BrokerRequest): KafkaFailure =>
  new KafkaFailure('retriable', `${kind} of ${target}: the connection was lost`)
