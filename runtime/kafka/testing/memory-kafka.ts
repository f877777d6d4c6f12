import {
  type CommittedOffset,
  type Fetcher,
  type JoinOptions,
  type KafkaAdmin,
  KafkaFailure,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
  type PartitionBounds,
  type TxWriter,
} from '../port.ts'
import { MemoryAdmin } from './memory-admin.ts'
import type { BrokerRequest, MemoryBroker } from './memory-broker.ts'
import { MemoryFetcher } from './memory-fetcher.ts'
import { MemoryMembership } from './memory-membership.ts'
import { MemoryTxWriter } from './memory-tx-writer.ts'

/** One process's way to a broker in memory. It can be frozen, as a process is that is stopped or cut off. */
export class MemoryKafka implements KafkaPort {
  readonly broker: MemoryBroker
  readonly name: string
  readonly admin: KafkaAdmin
  readonly #memberships = new Set<MemoryMembership>()
  #gate: PromiseWithResolvers<void> | null = null

  constructor(broker: MemoryBroker, name: string) {
    this.broker = broker
    this.name = name
    this.admin = new MemoryAdmin(this)
  }

  /** Nothing more goes in or out; after the session timeout the groups go on without it. */
  freeze(): void {
    if (this.#gate) return
    this.#gate = Promise.withResolvers()
    const { clock, sessionTimeoutMs } = this.broker.options
    const frozen = this.#gate
    void clock.sleep(sessionTimeoutMs).then(() => {
      if (this.#gate === frozen) for (const membership of this.#memberships) membership.expire()
    })
  }

  /** Everything goes on from where it was, whatever has happened meanwhile. */
  thaw(): void {
    this.#gate?.resolve()
    this.#gate = null
    for (const membership of this.#memberships) membership.rejoin()
  }

  /** Its groups throw it out though it goes on, and only then hears of it and joins again. */
  expel(ms: number): void {
    for (const membership of this.#memberships) membership.expire()
    void this.broker.options.clock.sleep(ms).then(() => {
      if (!this.#gate) for (const membership of this.#memberships) membership.rejoin()
    })
  }

  /** Resolves at once unless frozen. */
  get awake(): Promise<void> {
    return this.#gate?.promise ?? Promise.resolve()
  }

  async ask<T>(request: Omit<BrokerRequest, 'client'>, effect: () => T | Promise<T>): Promise<T> {
    await this.awake
    try {
      return await this.broker.serve({ ...request, client: this.name }, effect)
    } finally {
      await this.awake
    }
  }

  async openTxWriter({ transactionalId }: { readonly transactionalId: string }): Promise<TxWriter> {
    const producer = this.broker.producer(transactionalId)
    const epoch = await this.ask({ kind: 'init-producer', target: transactionalId }, () => producer.init())
    return new MemoryTxWriter({ kafka: this, id: transactionalId, producer, epoch })
  }

  openFetcher(): Fetcher {
    return new MemoryFetcher(this)
  }

  bounds(topic: string): Promise<ReadonlyMap<number, PartitionBounds>> {
    return this.ask(
      { kind: 'list-offsets', target: topic },
      () => new Map(this.broker.topic(topic).logs.map((log, partition) => [partition, log.bounds])),
    )
  }

  readTail({ topic, partition, count, before }: Parameters<KafkaPort['readTail']>[0]): Promise<readonly KafkaRecord[]> {
    return this.ask({ kind: 'fetch', target: topic }, () => {
      const log = this.broker.topic(topic).logs[partition]
      return log?.tail(count, before ?? log.high) ?? []
    })
  }

  async join(options: JoinOptions): Promise<Membership> {
    const group = this.broker.group(options.group)
    const membership = new MemoryMembership({ kafka: this, group, join: options })
    membership.onLeave = () => this.#memberships.delete(membership)
    try {
      await this.ask({ kind: 'join-group', target: options.group }, () => {
        this.broker.topic(options.topic)
        this.#memberships.add(membership)
        return membership.rejoin()
      })
      await Promise.race([givenUp(options), membership.assigned])
    } catch (error) {
      await membership.leave()
      throw error
    }
    return membership
  }

  committed({
    group,
    topic,
  }: {
    readonly group: string
    readonly topic: string
  }): Promise<ReadonlyMap<number, CommittedOffset>> {
    return this.ask({ kind: 'fetch-offsets', target: group }, () => {
      this.broker.topic(topic)
      return new Map([...this.broker.offsets(group, topic)].toSorted(([a], [b]) => a - b))
    })
  }

  brokerTimeMs(topic: string): Promise<bigint> {
    return this.ask({ kind: 'probe-clock', target: topic }, () => {
      const timestampMs = this.broker.nowMs
      if (!this.broker.stamps(topic))
        throw new KafkaFailure('fatal', `read the broker's clock through topic ${topic}: it is no LogAppendTime topic`)
      this.broker.log(topic, 0).append([{ key: null, value: Buffer.alloc(0), timestampMs }], null)
      return timestampMs
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const givenUp = ({ group, signal }: JoinOptions): Promise<never> =>
  new Promise((_, reject) => {
    const giveUp = (): void => reject(new KafkaFailure('superseded', `join group ${group}: given up, asked to stop`))
    signal?.addEventListener('abort', giveUp, { once: true })
    if (signal?.aborted) giveUp()
  })
