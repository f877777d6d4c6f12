import { setTimeout as delay } from 'node:timers/promises'
import kafkajs, { type Admin, type ITopicConfig, type Kafka } from 'kafkajs'
import { classify } from './classify.ts'
import type { CommittedOffset, KafkaAdmin, KafkaFailure, TopicSpec } from './port.ts'
import { type ClusterBroker, openCluster } from './private-cluster.ts'

const coordinatorAttempts = 60
const coordinatorRetryMs = 250
const leaderAttempts = 120
const leaderRetryMs = 100

/** Administration over one connection that is opened when first needed. */
export class LazyAdmin implements KafkaAdmin {
  readonly #kafka: Kafka
  readonly #admin: Admin
  #connected: Promise<void> | null = null

  constructor(kafka: Kafka) {
    this.#kafka = kafka
    this.#admin = kafka.admin()
  }

  createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    return this.use('create topics', async admin => {
      const existing = new Set(await admin.listTopics())
      const missing = specs.filter(({ topic }) => !existing.has(topic))
      const names = missing.map(({ topic }) => topic)
      if (names.length > 0) {
        await admin.createTopics({ waitForLeaders: false, timeout: 30_000, topics: missing.map(toTopicConfig) })
        await untilLed(admin, names)
      }
      return names
    })
  }

  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.use('read topics', async admin => {
      const existing = new Set(await admin.listTopics())
      const known = topics.filter(topic => existing.has(topic))
      if (known.length === 0) return new Map()
      const metadata = await admin.fetchTopicMetadata({ topics: known })
      return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
    })
  }

  topicConfig(topic: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.use(`read the configuration of ${topic}`, async admin => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [...keys] }],
      })
      return new Map(resources.flatMap(({ configEntries }) => configEntries.map(e => [e.configName, e.configValue])))
    })
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.use('delete topics', admin => admin.deleteTopics({ topics: [...topics], timeout: 30_000 }))
  }

  memberCount(group: string): Promise<number> {
    return this.use(`describe group ${group}`, async admin => {
      const { groups } = await admin.describeGroups([group])
      return groups[0]?.members.length ?? 0
    })
  }

  async setOffsets({
    group,
    topic,
    offsets,
  }: {
    readonly group: string
    readonly topic: string
    readonly offsets: ReadonlyMap<number, CommittedOffset>
  }): Promise<void> {
    const partitions = [...offsets].map(([partition, { offset, metadata }]) => ({
      partition,
      offset: `${offset}`,
      metadata,
    }))
    const commit = { group, topics: [{ topic, partitions }] }
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#commitWithoutMember(commit)
      if (!failure) return
      // A broker that has just started, or a group never heard of, has its coordinator elected now.
      if (failure.kind !== 'retriable' || attempt === coordinatorAttempts) throw failure
      await delay(coordinatorRetryMs)
    }
  }

  async #commitWithoutMember({
    group,
    topics,
  }: {
    readonly group: string
    readonly topics: Parameters<ClusterBroker['offsetCommit']>[0]['topics']
  }): Promise<KafkaFailure | null> {
    const cluster = openCluster(this.#kafka)
    try {
      await cluster.connect()
      const coordinator = await cluster.findGroupCoordinator({ groupId: group })
      // Without a member the broker takes offsets only for a group that has none: nobody reads meanwhile.
      const nobody = { groupGenerationId: -1, memberId: '' }
      await coordinator.offsetCommit({ groupId: group, ...nobody, topics })
      return null
    } catch (error) {
      return classify(error, `set offsets of group ${group}`)
    } finally {
      await cluster.disconnect().catch(() => {})
    }
  }

  /** Runs with a connection; errors come out classified. */
  async use<T>(doing: string, action: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      this.#connected ??= this.#admin.connect()
      await this.#connected
      return await action(this.#admin)
    } catch (error) {
      throw classify(error, doing)
    }
  }

  async close(): Promise<void> {
    if (this.#connected) await this.#admin.disconnect().catch(() => {})
  }
}

/** kafkajs' own wait gives up on a broker that has not heard of a new topic yet. */
const untilLed = async (admin: Admin, topics: string[]): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      const metadata = await admin.fetchTopicMetadata({ topics })
      if (metadata.topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return
    } catch (error) {
      if (classify(error, 'create topics').kind !== 'retriable' || attempt >= leaderAttempts) throw error
    }
    if (attempt >= leaderAttempts) throw new Error(`no leaders for ${topics.join(', ')} after ${attempt} looks`)
    await delay(leaderRetryMs)
  }
}

const toTopicConfig = ({ topic, partitions, replicationFactor, config }: TopicSpec): ITopicConfig => ({
  topic,
  numPartitions: partitions,
  replicationFactor,
  configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
})
