import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'

/**
 * The cluster behind a kafkajs client: the only way to fetch without a group. A private API, so the version is
 * pinned and test/int/kafka.int.test.ts reads through it.
 */
export type Cluster = {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, number[]>>
  findBroker(options: { readonly nodeId: string }): Promise<ClusterBroker>
  findGroupCoordinator(options: { readonly groupId: string }): Promise<ClusterBroker>
}

export type ClusterBroker = {
  fetch(request: {
    readonly isolationLevel: number
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly {
        readonly partition: number
        readonly fetchOffset: string
        readonly maxBytes: number
      }[]
    }[]
  }): Promise<{
    readonly responses: readonly { readonly topicName: string; readonly partitions: FetchedPartition[] }[]
  }>
  offsetCommit(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
    readonly topics: OffsetCommitTopics
  }): Promise<unknown>
}

export type OffsetCommitTopics = readonly {
  readonly topic: string
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[]
}[]

export type FetchedPartition = { readonly partition: number; readonly lastStableOffset: string }

type FetchedMessage = {
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: string
}

type BatchConstructor = new (
  topic: string,
  fetchedOffset: string,
  data: FetchedPartition,
) => {
  /** Neither aborted nor control records. */
  readonly messages: readonly FetchedMessage[]
  readonly messagesWithinOffset: readonly FetchedMessage[]
}

/** Filters what was aborted, as kafkajs does for its own consumers. */
export const Batch: BatchConstructor = createRequire(import.meta.url)('kafkajs/src/consumer/batch.js')

const readCommitted = 1
export const isolationLevel = readCommitted

export const openCluster = (kafka: Kafka): Cluster => {
  const symbol = Object.getOwnPropertySymbols(kafka).find(found => String(found).includes('createCluster'))
  if (!symbol) throw new Error('kafkajs has no private createCluster; is it the pinned version?')
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol]
  if (!create) throw new Error('kafkajs has no private createCluster; is it the pinned version?')
  return create({
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    isolationLevel: readCommitted,
  })
}
