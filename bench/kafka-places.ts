import { setTimeout as pause } from 'node:timers/promises'
import { pino } from 'pino'
import { type GroupSpec, groupSpecs, inspectGroups } from '../ops/init/groups.ts'
import { topicSpecs } from '../ops/init/topics.ts'
import { openKafka } from '../runtime/kafka/kafka.ts'
import { KafkaFailure, type KafkaPort } from '../runtime/kafka/port.ts'
import type { StreamNames } from '../runtime/names.ts'

const settings = { replicationFactor: 1, minInsyncReplicas: 1, maxMessageBytes: 8 * 1024 * 1024 }
/** A broker that has just started is not at once the coordinator of its groups. */
const retry = { tries: 60, pauseMs: 500 }

/** What `settle init` makes of streams in Kafka, where its other places are not needed. */
export const makeKafkaPlaces = async (
  brokers: readonly string[],
  streams: readonly StreamNames[],
  { partitions }: { readonly partitions: number },
): Promise<void> => {
  const log = pino({ level: 'silent' })
  const kafka = openKafka({ brokers, clientId: 'bench', log, sessionTimeoutMs: 6000, heartbeatIntervalMs: 500 })
  try {
    for (const names of streams) {
      await kafka.admin.createTopics(topicSpecs(names, { ...settings, partitions }))
      await makeGroups(kafka, groupSpecs(names, partitions))
    }
  } finally {
    await kafka.close()
  }
}

const makeGroups = async (kafka: KafkaPort, specs: readonly GroupSpec[]): Promise<void> => {
  for (let left = retry.tries; ; left--)
    try {
      for (const finding of await inspectGroups(kafka, specs)) if (finding.kind === 'missing') await finding.make()
      return
    } catch (error) {
      if (left === 0 || !(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
      await pause(retry.pauseMs)
    }
}
