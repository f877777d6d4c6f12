import type { CommittedOffset, KafkaPort, PartitionBounds } from '../../runtime/kafka/port.ts'
import { serviceOfGroup, type StreamNames } from '../../runtime/names.ts'
import type { Pos } from '../../core/ids.ts'
import { logNumbering, type Numbering, userNumbering } from '../../runtime/reader/numbering.ts'
import { fromCommitted, toCommitted } from '../../runtime/reader/progress.ts'
import { type Finding, missing, present, refused } from './finding.ts'

/** A group whose first offsets `settle init` commits. */
export type GroupSpec = {
  readonly group: string
  readonly topic: string
  readonly partitions: number
  /** How to check that what it read is still there; null where records have no place of their own. */
  readonly placeOf: ((value: Buffer) => { readonly n: bigint; readonly pos: bigint }) | null
}

/** Every group that reads as a group. (Repartition keeps its place in `user.outputs`, not in its group.) */
export const groupSpecs = ({ groups, topics }: StreamNames, partitions: number): readonly GroupSpec[] => [
  ...[groups.settle, groups.load, groups.archive].map(group => ({
    group,
    topic: topics.users,
    partitions,
    placeOf: placeIn(userNumbering),
  })),
  { group: groups.archiveLog, topic: topics.log, partitions: 1, placeOf: placeIn(logNumbering) },
  { group: groups.bridge, topic: topics.commands, partitions: 1, placeOf: null },
]

const placeIn =
  <R>(numbering: Numbering<R>) =>
  (value: Buffer) =>
    numbering.place(numbering.decode(value))

/** Compares the groups' committed offsets with their topics. */
export const inspectGroups = async (kafka: KafkaPort, specs: readonly GroupSpec[]): Promise<readonly Finding[]> => {
  const counts = await kafka.admin.partitionCounts(specs.map(({ topic }) => topic))
  const findings: Finding[] = []
  for (const spec of specs) findings.push(await inspectGroup(kafka, spec, counts.get(spec.topic)))
  return findings
}

const inspectGroup = async (kafka: KafkaPort, spec: GroupSpec, count: number | undefined): Promise<Finding> => {
  const { group, topic, partitions } = spec
  const thing = `group ${group} on ${topic}`
  // A topic that is gone took the offsets of its groups with it.
  const committed = count === undefined ? new Map<number, never>() : await kafka.committed({ group, topic })
  if (committed.size === 0) return await firstOffsets(kafka, spec, thing)
  const absent = Array.from({ length: partitions }, (_, partition) => partition).filter(each => !committed.has(each))
  if (absent.length > 0)
    return refused(
      `${thing} has offsets of ${committed.size} partitions, none of ${absent.join(', ')}: they were made for another number of partitions; take a new stream`,
    )
  const bounds = await kafka.bounds(topic)
  for (const [partition, offset] of committed) {
    const problem = await offsetProblem(kafka, { spec, partition, offset, bounds: bounds.get(partition) })
    if (problem !== null) return refused(`${thing}: ${problem}`)
  }
  return present(thing)
}

const firstOffsets = async (kafka: KafkaPort, spec: GroupSpec, thing: string): Promise<Finding> => {
  const { group, topic, partitions } = spec
  const members = await kafka.admin.members(group)
  if (members.length > 0)
    return refused(
      `${thing} has ${members.length} members but no offsets; stop the services of this group, then run settle init again`,
    )
  const start = toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos })
  const offsets = new Map(Array.from({ length: partitions }, (_, partition) => [partition, start]))
  return missing(`${thing}: first offsets`, () => kafka.admin.setOffsets({ group, topic, offsets }))
}

/** What a reader would stop on at its start, found before it starts. */
export const offsetProblem = async (
  kafka: KafkaPort,
  {
    spec: { group, topic, placeOf },
    partition,
    offset,
    bounds,
  }: {
    readonly spec: GroupSpec
    readonly partition: number
    readonly offset: CommittedOffset
    readonly bounds: PartitionBounds | undefined
  },
): Promise<string | null> => {
  const where = `partition ${partition}, offset ${offset.offset}`
  const wayOut =
    placeOf === null
      ? 'take a new stream, or remove the group with kafka-consumer-groups.sh --delete'
      : `see that KAFKA_BROKERS is right; then read it from its beginning with settle replay --group ${serviceOfGroup(group)} --to start`
  const { low, end } = bounds ?? { low: 0n, end: 0n }
  if (offset.offset < low || offset.offset > end)
    return `${where} is outside what the topic holds, ${low} to ${end}: the topic was remade; ${wayOut}`
  if (placeOf === null) return null
  const progress = fromCommitted(offset)
  if (progress === null)
    return `${where} carries metadata ${JSON.stringify(offset.metadata)}, which no service wrote; read it from its beginning with settle replay --group ${serviceOfGroup(group)} --to start`
  const [before] = await kafka.readTail({ topic, partition, count: 1, before: offset.offset })
  const place = before ? placeOf(before.value) : { n: 0n, pos: 0n }
  return place.n === progress.n && place.pos === progress.pos
    ? null
    : `${where}: the record before it is n=${place.n} pos=${place.pos}, the group read n=${progress.n} pos=${progress.pos}: the topic was remade; ${wayOut}`
}
