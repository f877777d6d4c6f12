import type { Barrier } from '../../core/events.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { fromCommitted } from '../../runtime/reader/progress.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { barriersBack, lastOutput } from '../last-places.ts'

type TopicStatus = { readonly topic: string; readonly partitions: number | null; readonly end: bigint }
type GroupStatus = {
  readonly group: string
  readonly topic: string
  readonly members: number
  /** Partitions with a committed offset. */
  readonly committed: number
  /** pos of the partition that is furthest behind; null where the group keeps none. */
  readonly pos: bigint | null
  /** Records that are not committed yet; in the log, offsets. */
  readonly lag: bigint
}
export type KafkaStatus = {
  readonly topics: readonly TopicStatus[]
  readonly groups: readonly GroupStatus[]
  /** The log's last Output, and the last barrier of `user.outputs`; null when there is none. */
  readonly lastOutput: bigint | null
  readonly lastBarrier: Pick<Barrier, 'pos' | 'src' | 'previous'> | null
}

export const readKafkaStatus = async (
  kafka: KafkaPort,
  { topics: named, groups: group }: StreamNames,
): Promise<KafkaStatus> => {
  const names = Object.values(named)
  const counts = await kafka.admin.partitionCounts(names)
  const topics: TopicStatus[] = []
  for (const topic of names) {
    const partitions = counts.get(topic) ?? null
    const ends = partitions === null ? [] : [...(await kafka.bounds(topic)).values()].map(({ end }) => end)
    topics.push({ topic, partitions, end: ends.reduce((sum, end) => sum + end, 0n) })
  }
  const reads: readonly (readonly [string, string])[] = [
    [group.bridge, named.commands],
    [group.repartition, named.log],
    [group.settle, named.users],
    [group.load, named.users],
    [group.archive, named.users],
    [group.archiveLog, named.log],
  ]
  const present = reads.filter(([, topic]) => counts.has(topic))
  const tails = counts.has(named.users) ? await lastNumbers(kafka, named.users) : new Map<number, bigint>()
  const groups: GroupStatus[] = []
  for (const [name, topic] of present)
    groups.push(await groupStatus(kafka, { group: name, topic, tails: topic === named.users ? tails : null }))
  return {
    topics,
    groups,
    lastOutput: counts.has(named.log) ? await lastOutput(kafka, named.log) : null,
    lastBarrier: counts.has(named.users) ? await lastBarrier(kafka, named.users) : null,
  }
}

/** n of each partition's last record. */
const lastNumbers = async (kafka: KafkaPort, topic: string): Promise<ReadonlyMap<number, bigint>> => {
  const numbers = new Map<number, bigint>()
  for (const partition of (await kafka.bounds(topic)).keys()) {
    const [last] = await kafka.readTail({ topic, partition, count: 1 })
    numbers.set(partition, last ? decodeUserRecord(last.value).n : 0n)
  }
  return numbers
}

const groupStatus = async (
  kafka: KafkaPort,
  options: { readonly group: string; readonly topic: string; readonly tails: ReadonlyMap<number, bigint> | null },
): Promise<GroupStatus> => {
  const { group, topic, tails } = options
  const committed = await kafka.committed({ group, topic })
  let [pos, lag] = [null as bigint | null, 0n]
  for (const [partition, { end }] of await kafka.bounds(topic)) {
    const offset = committed.get(partition)
    const progress = offset ? fromCommitted(offset) : null
    if (progress && (pos === null || progress.pos < pos)) pos = progress.pos
    lag += tails ? (tails.get(partition) ?? 0n) - (progress?.n ?? 0n) : end - (offset?.offset ?? 0n)
  }
  return { group, topic, members: (await kafka.admin.members(group)).length, committed: committed.size, pos, lag }
}

const lastBarrier = async (kafka: KafkaPort, topic: string): Promise<KafkaStatus['lastBarrier']> => {
  for await (const { pos, src, previous } of barriersBack(kafka, { topic })) return { pos, src, previous }
  return null
}
