import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import type { Message, PartitionerArgs, PartitionMetadata } from 'kafkajs'

type ToGroup = {
  readonly topic: string
  readonly partitionMetadata: PartitionMetadata[]
  readonly messages: readonly Message[]
  readonly partitioner: (args: PartitionerArgs) => number
}

/**
 * Messages by partition, each list in their order. kafkajs' own copies a partition's list for every message: a
 * transaction of 4,700 records costs a million copies that are garbage at once, a third of the writer's thread.
 */
const groupMessagesPerPartition = ({ topic, partitionMetadata, messages, partitioner }: ToGroup) => {
  const grouped: Record<number, Message[]> = {}
  if (partitionMetadata.length === 0) return grouped
  for (const message of messages) (grouped[partitioner({ topic, partitionMetadata, message })] ??= []).push(message)
  return grouped
}

const load = createRequire(import.meta.url)

/** Has to be in its place before kafkajs is loaded, which keeps what it finds there; private, so the version is pinned. */
const putInPlace = (path: string, exports: unknown): void => {
  load(path)
  const module = load.cache[load.resolve(path)]
  if (module) module.exports = exports
}
putInPlace('kafkajs/src/producer/groupMessagesPerPartition.js', groupMessagesPerPartition)

/** kafkajs itself. Everything in this folder has it from here. */
export const kafkajs = load('kafkajs') as typeof Kafkajs
