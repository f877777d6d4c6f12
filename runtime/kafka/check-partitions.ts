import type { Log } from '../log.ts'
import { refuse } from '../stop.ts'
import type { KafkaPort } from './port.ts'

/**
 * A topic must have the partitions that it was made with: with fewer, users would go to partitions that do not exist;
 * more are an alarm, since somebody changed it, but nobody reads or writes them.
 * @throws Stop `topic-missing` or `topic-partitions`
 */
export const checkPartitions = async ({
  kafka,
  log,
  topic,
  partitions,
}: {
  readonly kafka: KafkaPort
  readonly log: Log
  readonly topic: string
  readonly partitions: number
}): Promise<void> => {
  const count = (await kafka.admin.partitionCounts([topic])).get(topic)
  if (count === undefined) throw refuse('topic-missing', `topic ${topic} does not exist; run: settle init`, { topic })
  if (count < partitions)
    throw refuse(
      'topic-partitions',
      `topic ${topic} has ${count} partitions, PARTITIONS says ${partitions}: users would go to partitions that do not exist; set PARTITIONS to what the stream was made with`,
      { topic, count, partitions },
    )
  if (count > partitions) log.error({ topic, count, partitions }, 'topic has more partitions than PARTITIONS says')
}
