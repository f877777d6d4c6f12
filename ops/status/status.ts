import type { ArchiveStatus } from './archive-status.ts'
import type { KafkaStatus } from './kafka-status.ts'
import type { ScyllaStatus, TableStatus } from './store-status.ts'

/** What a place says of itself, or why it can't be asked. */
export type Answer<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'silent'; readonly problem: string }

export type Status = {
  readonly stream: string
  readonly partitions: number
  readonly kafka: Answer<KafkaStatus>
  readonly scylla: Answer<ScyllaStatus>
  readonly starrocks: Answer<readonly TableStatus[]>
  readonly archive: Answer<ArchiveStatus>
}

/** Asks a place; whatever it does, the other places are still asked. */
export const ask = async <T>(question: () => Promise<T>): Promise<Answer<T>> => {
  try {
    return { kind: 'answer', value: await question() }
  } catch (error) {
    return { kind: 'silent', problem: error instanceof Error ? error.message : String(error) }
  }
}

/** What is wrong, in words, with what to run; empty when all is well. */
export const problemsOf = (status: Status): readonly string[] => [
  ...silent('Kafka', status.kafka),
  ...silent('ScyllaDB', status.scylla),
  ...silent('StarRocks', status.starrocks),
  ...silent('the archive', status.archive),
  ...(status.kafka.kind === 'answer' ? kafkaProblems(status, status.kafka.value) : []),
  ...(status.scylla.kind === 'answer' ? scyllaProblems(status.scylla.value) : []),
]

const silent = (place: string, answer: Answer<unknown>): readonly string[] =>
  answer.kind === 'silent' ? [`${place} can't be asked: ${answer.problem}`] : []

const kafkaProblems = ({ stream, partitions }: Status, { topics, groups }: KafkaStatus): readonly string[] => [
  ...topics
    .filter(topic => topic.partitions === null)
    .map(({ topic }) => `topic ${topic} does not exist; run: settle init`),
  ...topics
    .filter(({ topic, partitions: has }) => topic === `${stream}.user.outputs` && has !== null && has !== partitions)
    .map(
      ({ topic, partitions: has }) =>
        `topic ${topic} has ${has} partitions, PARTITIONS says ${partitions}; set PARTITIONS=${has}`,
    ),
  ...groups.flatMap(({ group, topic, members, committed, lag }) => {
    const isFree = group === `${stream}.repartition`
    const wanted = topic === `${stream}.user.outputs` ? partitions : 1
    if (committed < wanted && !isFree)
      return [`group ${group} has offsets of ${committed} of ${wanted} partitions of ${topic}; run: settle init`]
    if (members > 0) return []
    const behind = lag > 0n ? `, and ${lag} records wait` : ''
    return [`nobody is in group ${group}${behind}; start ${serviceOf(group.slice(stream.length + 1))}`]
  }),
]

const serviceOf = (group: string): string => {
  switch (group) {
    case 'bridge':
      return 'bridge/main.ts'
    case 'repartition':
    case 'settle':
      return `processor/${group}/main.ts`
    case 'load':
      return 'sink-starrocks/load/main.ts'
    default:
      return 'sink-starrocks/archive/main.ts'
  }
}

const scyllaProblems = ({ parked, parkedCount }: ScyllaStatus): readonly string[] =>
  parkedCount === 0
    ? []
    : [
        ...parked.map(
          ({ user, pos, asset, version, code, message }) =>
            `user ${user} is parked since pos ${pos}: asset ${asset}, version ${version} (${code}: ${message})`,
        ),
        ...(parkedCount > parked.length ? [`and ${parkedCount - parked.length} more users are parked`] : []),
        'settle redrive --user <id> --dry-run tells which versions of a parked user are missing; settle correct supplies one',
      ]
