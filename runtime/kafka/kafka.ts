import type { Log } from '../log.ts'
import type { KafkaSettings } from '../settings.ts'
import { LazyAdmin } from './admin.ts'
import { type Client, type ClientOptions, openClient } from './client.ts'
import { ClockProbe } from './clock-probe.ts'
import { GrouplessFetcher } from './fetcher.ts'
import { checkKafkaLimits, type KafkaLimits, kafkaLimits } from './limits.ts'
import { PausedMembership } from './membership.ts'
import type {
  CommittedOffset,
  Fetcher,
  JoinOptions,
  KafkaPort,
  KafkaRecord,
  Membership,
  PartitionBounds,
  TxWriter,
} from './port.ts'
import { kafkaSecurity } from './security.ts'
import { ThreadedTxWriter } from './threaded-tx-writer.ts'
import { GuardedTxWriter } from './tx-writer.ts'

const fetchWait = { waitMs: 250, awaitedWaitMs: 20 } as const

export type KafkaOptions = Omit<ClientOptions, 'limits' | 'log'> & {
  readonly log: Log
  /** Where transactional writers work: a thread of its own for each leaves the caller's to the caller. */
  readonly txWriters?: 'here' | 'threads'
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /**
   * How long fetchers let records come together while few come, in ms: for services that gather them anyhow. Unset:
   * each is fetched at once.
   */
  readonly gatherMs?: number
  /** Others than usual: tests of faults would take minutes. */
  readonly limits?: Partial<KafkaLimits>
}

/** Kafka through kafkajs, behind every guard it needs. */
export const openKafka = (options: KafkaOptions): KafkaPort => new GuardedKafka(options)

/**
 * The same, told by `kafkaSettings` as they were parsed.
 * @throws Stop `settings` when those of TLS and SASL do not go together
 */
export const openKafkaFrom = (
  settings: KafkaSettings,
  own: Pick<KafkaOptions, 'clientId' | 'log' | 'txWriters' | 'gatherMs'>,
): KafkaPort =>
  openKafka({
    ...own,
    brokers: settings.KAFKA_BROKERS,
    sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: settings.KAFKA_HEARTBEAT_INTERVAL_MS,
    ...kafkaSecurity(settings),
  })

class GuardedKafka implements KafkaPort {
  readonly #options: KafkaOptions
  readonly #limits: KafkaLimits
  readonly admin: LazyAdmin
  readonly #clock: ClockProbe
  #tailFetcher: Fetcher | null = null

  constructor(options: KafkaOptions) {
    this.#options = options
    this.#limits = checkKafkaLimits({ ...kafkaLimits, ...options.limits })
    const parts = {
      openClient: (limits?: Partial<KafkaLimits>) => this.#openClient(limits),
      limits: this.#limits,
    }
    this.admin = new LazyAdmin(parts)
    this.#clock = new ClockProbe(parts)
  }

  #openClient(limits?: Partial<KafkaLimits>): Client {
    return openClient({ ...this.#options, limits: { ...this.#limits, ...limits } })
  }

  openTxWriter({ transactionalId }: { readonly transactionalId: string }): Promise<TxWriter> {
    const limits = this.#limits
    return this.#options.txWriters === 'threads'
      ? ThreadedTxWriter.open({ client: { ...this.#options, limits }, transactionalId, log: this.#options.log })
      : GuardedTxWriter.open({ client: this.#openClient(), transactionalId, limits })
  }

  openFetcher(): Fetcher {
    const { gatherMs = 0 } = this.#options
    return new GrouplessFetcher({ client: this.#openClient(), limits: this.#limits, ...fetchWait, gatherMs })
  }

  bounds(topic: string): Promise<ReadonlyMap<number, PartitionBounds>> {
    return this.admin.use(`read the offsets of ${topic}`, async admin => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return new Map(offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), end: BigInt(high) }]))
    })
  }

  async readTail({
    topic,
    partition,
    count,
    before,
  }: Parameters<KafkaPort['readTail']>[0]): Promise<readonly KafkaRecord[]> {
    const bounds = (await this.bounds(topic)).get(partition)
    if (!bounds) return []
    const end = before === undefined || before > bounds.end ? bounds.end : before
    this.#tailFetcher ??= this.openFetcher()
    // Control and aborted records take offsets too: an empty window is not an empty log, so widen it until it has
    // enough or reaches the beginning.
    for (let width = BigInt(count + 3); ; width *= 8n) {
      const from = end - width > bounds.low ? end - width : bounds.low
      const found = await this.#readBetween({ fetcher: this.#tailFetcher, topic, partition, from, end, count })
      if (found.length >= count || from === bounds.low) return found
    }
  }

  async #readBetween({
    fetcher,
    topic,
    partition,
    from,
    end,
    count,
  }: {
    readonly fetcher: Fetcher
    readonly topic: string
    readonly partition: number
    readonly from: bigint
    readonly end: bigint
    readonly count: number
  }): Promise<KafkaRecord[]> {
    let found: KafkaRecord[] = []
    for (let offset = from; offset < end; ) {
      const { records, next } = await fetcher.read({ topic, partition, offset })
      found = [...found, ...records.filter(record => record.offset < end)].slice(-count)
      offset = next
    }
    return found
  }

  join(options: JoinOptions): Promise<Membership> {
    const { sessionTimeoutMs, heartbeatIntervalMs } = this.#options
    return PausedMembership.join(
      { openClient: () => this.#openClient(), admin: this.admin, limits: this.#limits },
      { ...options, sessionTimeoutMs, heartbeatIntervalMs },
    )
  }

  committed({
    group,
    topic,
  }: {
    readonly group: string
    readonly topic: string
  }): Promise<ReadonlyMap<number, CommittedOffset>> {
    return this.admin.useOfGroup(`read the offsets of group ${group}`, async admin => {
      const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      return new Map(
        (found?.partitions ?? [])
          .filter(({ offset }) => BigInt(offset) >= 0n)
          .map(({ partition, offset, metadata }) => [partition, { offset: BigInt(offset), metadata: metadata ?? '' }]),
      )
    })
  }

  brokerTimeMs(topic: string): Promise<bigint> {
    return this.#clock.timeMs(topic)
  }

  async close(): Promise<void> {
    await this.#clock.close()
    await this.#tailFetcher?.close()
    await this.admin.close()
  }
}
