import type { Kafka } from 'kafkajs'
import { LazyAdmin } from './admin.ts'
import { type KafkaOptions, openClient } from './client.ts'
import { ClockProbe } from './clock-probe.ts'
import { GrouplessFetcher } from './fetcher.ts'
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
import { GuardedTxWriter } from './tx-writer.ts'

const fetchWaitMs = 250

/** Kafka through kafkajs, behind every guard it needs. */
export const openKafka = (options: KafkaOptions): KafkaPort => new GuardedKafka(options)

/** The same, told by `kafkaSettings` as they were parsed. */
export const openKafkaFrom = (
  settings: {
    readonly KAFKA_BROKERS: readonly string[]
    readonly KAFKA_SESSION_TIMEOUT_MS: number
    readonly KAFKA_HEARTBEAT_INTERVAL_MS: number
  },
  { clientId, log }: Pick<KafkaOptions, 'clientId' | 'log'>,
): KafkaPort =>
  openKafka({
    brokers: settings.KAFKA_BROKERS,
    clientId,
    log,
    sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT_MS,
    heartbeatIntervalMs: settings.KAFKA_HEARTBEAT_INTERVAL_MS,
  })

class GuardedKafka implements KafkaPort {
  readonly #options: KafkaOptions
  readonly #kafka: Kafka
  readonly admin: LazyAdmin
  readonly #clock: ClockProbe
  #tailFetcher: Fetcher | null = null

  constructor(options: KafkaOptions) {
    this.#options = options
    this.#kafka = openClient(options)
    this.admin = new LazyAdmin(this.#kafka)
    this.#clock = new ClockProbe(this.#kafka)
  }

  openTxWriter({ transactionalId }: { readonly transactionalId: string }): Promise<TxWriter> {
    return GuardedTxWriter.open({ kafka: this.#kafka, transactionalId })
  }

  openFetcher(): Fetcher {
    return new GrouplessFetcher({ kafka: this.#kafka, waitMs: fetchWaitMs })
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
      { kafka: this.#kafka, admin: this.admin },
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
    return this.admin.use(`read the offsets of group ${group}`, async admin => {
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
