import {
  type CommittedOffset,
  type Fetcher,
  type KafkaAdmin,
  KafkaFailure,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
  type TopicSpec,
  type TxWriter,
} from '../../runtime/kafka/port.ts'

type Partition = { low: bigint; end: bigint; readonly records: KafkaRecord[] }

/** Kafka as the commands see it, in memory: topics, records, groups without members unless told. */
export class FakeKafka implements KafkaPort {
  readonly topics = new Map<string, { readonly config: Map<string, string>; readonly partitions: Partition[] }>()
  readonly groups = new Map<string, Map<string, Map<number, CommittedOffset>>>()
  readonly members = new Map<string, number>()
  /** Every change that was asked for, in order. */
  readonly changes: string[] = []

  readonly admin: KafkaAdmin = {
    createTopics: async specs => {
      const created = specs.filter(({ topic }) => !this.topics.has(topic))
      for (const spec of created) this.addTopic(spec)
      return created.map(({ topic }) => topic)
    },
    partitionCounts: async topics =>
      new Map(
        topics.flatMap(topic => {
          const found = this.topics.get(topic)
          return found ? [[topic, found.partitions.length] as const] : []
        }),
      ),
    topicConfig: async (topic, keys) => {
      const { config } = this.#topic(topic)
      return new Map(keys.flatMap(key => (config.has(key) ? [[key, config.get(key) as string] as const] : [])))
    },
    deleteTopics: async topics => {
      for (const topic of topics) this.topics.delete(topic)
    },
    members: async group =>
      Array.from({ length: this.members.get(group) ?? 0 }, () => ({ clientId: group, host: 'memory' })),
    setOffsets: async ({ group, topic, offsets }) => {
      if ((this.members.get(group) ?? 0) > 0) throw new KafkaFailure('fatal', `group ${group} has members`)
      this.changes.push(`offsets of ${group}`)
      this.commit(group, topic, offsets)
    },
  }

  addTopic({ topic, partitions, config }: TopicSpec): void {
    this.changes.push(`topic ${topic}`)
    this.topics.set(topic, {
      config: new Map(Object.entries(config)),
      partitions: Array.from({ length: partitions }, () => ({ low: 0n, end: 0n, records: [] })),
    })
  }

  /** Appends records, and leaves the hole that a transaction's marker makes after them. */
  produce(topic: string, partition: number, values: readonly Buffer[]): void {
    const target = this.#partition(topic, partition)
    for (const value of values) {
      target.records.push({ offset: target.end, key: null, value, timestampMs: 0n })
      target.end += 1n
    }
    target.end += 1n
  }

  append(
    topic: string,
    partition: number,
    { key = null, value, timestampMs }: { key?: Buffer | null; value: Buffer; timestampMs: bigint },
  ): void {
    const target = this.#partition(topic, partition)
    target.records.push({ offset: target.end, key, value, timestampMs })
    target.end += 1n
  }

  /** The records of a partition, for tests that alter them. */
  recordsOf(topic: string, partition: number): KafkaRecord[] {
    return this.#partition(topic, partition).records
  }

  commit(group: string, topic: string, offsets: ReadonlyMap<number, CommittedOffset>): void {
    const byTopic = this.groups.get(group) ?? new Map<string, Map<number, CommittedOffset>>()
    this.groups.set(group, byTopic.set(topic, new Map([...(byTopic.get(topic) ?? []), ...offsets])))
  }

  async committed({ group, topic }: { readonly group: string; readonly topic: string }) {
    return this.groups.get(group)?.get(topic) ?? new Map<number, CommittedOffset>()
  }

  async bounds(topic: string) {
    return new Map(this.#topic(topic).partitions.map(({ low, end }, partition) => [partition, { low, end }]))
  }

  async readTail({ topic, partition, count, before }: Parameters<KafkaPort['readTail']>[0]) {
    const { records } = this.#partition(topic, partition)
    return records.filter(({ offset }) => before === undefined || offset < before).slice(-count)
  }

  openFetcher(): Fetcher {
    return {
      read: async ({ topic, partition, offset }) => {
        const { low, end, records } = this.#partition(topic, partition)
        if (offset < low || offset > end) throw new KafkaFailure('out-of-range', `${topic}-${partition}: ${offset}`)
        const some = records.filter(record => record.offset >= offset).slice(0, 100)
        return { records: some, next: some.length < 100 ? end : (some.at(-1)?.offset ?? end) + 1n }
      },
      close: async () => {},
    }
  }

  openTxWriter(): Promise<TxWriter> {
    return Promise.reject(new Error('the commands write no records'))
  }

  join(): Promise<Membership> {
    return Promise.reject(new Error('the commands join no group'))
  }

  brokerTimeMs(): Promise<bigint> {
    return Promise.reject(new Error('the commands ask no broker for its time'))
  }

  async close(): Promise<void> {}

  #topic(topic: string) {
    const found = this.topics.get(topic)
    if (!found) throw new KafkaFailure('fatal', `topic ${topic} does not exist`)
    return found
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#topic(topic).partitions[partition]
    if (!found) throw new KafkaFailure('fatal', `${topic} has no partition ${partition}`)
    return found
  }
}
