import { type CommittedOffset, type GroupMember, KafkaFailure, type KafkaAdmin, type TopicSpec } from '../port.ts'
import type { MemoryKafka } from './memory-kafka.ts'

/** Administration of a broker in memory. */
export class MemoryAdmin implements KafkaAdmin {
  readonly #kafka: MemoryKafka

  constructor(kafka: MemoryKafka) {
    this.#kafka = kafka
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    const { broker } = this.#kafka
    const missing = specs.filter(({ topic }) => !broker.topics.has(topic))
    const names = missing.map(({ topic }) => topic)
    if (names.length > 0)
      await this.#kafka.ask({ kind: 'create-topics', target: names.join() }, () => {
        for (const spec of missing) broker.addTopic(spec)
      })
    return names
  }

  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#kafka.ask({ kind: 'describe-topics', target: topics.join() }, () => {
      const known = [...this.#kafka.broker.topics].filter(([topic]) => topics.includes(topic))
      return new Map(known.map(([topic, { logs }]) => [topic, logs.length]))
    })
  }

  topicConfig(topic: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#kafka.ask({ kind: 'describe-topics', target: topic }, () => {
      const { config } = this.#kafka.broker.topic(topic)
      return new Map([...config].filter(([key]) => keys.includes(key)))
    })
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.#kafka.ask({ kind: 'delete-topics', target: topics.join() }, () => {
      for (const topic of topics) this.#kafka.broker.deleteTopic(topic)
    })
  }

  members(group: string): Promise<readonly GroupMember[]> {
    return this.#kafka.ask({ kind: 'describe-group', target: group }, () =>
      this.#kafka.broker.group(group).clients.map(clientId => ({ clientId, host: 'memory' })),
    )
  }

  setOffsets({
    group,
    topic,
    offsets,
  }: {
    readonly group: string
    readonly topic: string
    readonly offsets: ReadonlyMap<number, CommittedOffset>
  }): Promise<void> {
    return this.#kafka.ask({ kind: 'set-offsets', target: group }, () => {
      const { memberCount } = this.#kafka.broker.group(group)
      if (memberCount > 0)
        throw new KafkaFailure('superseded', `set offsets of group ${group}: it has ${memberCount} members`)
      const committed = this.#kafka.broker.offsets(group, topic)
      for (const [partition, offset] of offsets) committed.set(partition, offset)
    })
  }
}
