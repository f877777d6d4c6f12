import { tableText } from '../table-text.ts'
import type { KafkaStatus } from './kafka-status.ts'
import { type Answer, problemsOf, type Status } from './status.ts'

/** One page for people. */
export const statusText = (status: Status): string => {
  const problems = problemsOf(status)
  return [
    ...told(status.kafka, kafkaText),
    ...told(status.scylla, ({ interval, incomplete, parkedCount }) => [
      `ScyllaDB: newest interval with every partition's row: ${posText(interval)}${incomplete > 0 ? `, ${incomplete} newer barriers lack rows` : ''}; parked users: ${parkedCount}`,
    ]),
    ...told(status.starrocks, tables => [
      tableText(
        ['StarRocks', 'rows', 'newest pos'],
        tables.map(({ table, rows, pos }) => [table, rows, posText(pos)]),
        ['rows'],
      ),
    ]),
    ...told(status.archive, ({ windows, newest }) => [
      `archive: ${windows} windows${newest.length > 0 ? `, newest ${newest.join(' and ')}` : ''}`,
    ]),
    ...problems.map(problem => `! ${problem}`),
    `status ${status.stream}: ${problems.length === 0 ? 'all is well' : `${problems.length} problem${problems.length === 1 ? '' : 's'}`}`,
  ].join('\n')
}

const told = <T>(answer: Answer<T>, text: (value: T) => readonly string[]): readonly string[] =>
  answer.kind === 'answer' ? text(answer.value) : []

const kafkaText = ({ topics, groups, lastOutput, lastBarrier }: KafkaStatus): readonly string[] => [
  tableText(
    ['topic', 'partitions', 'end offsets'],
    topics.map(({ topic, partitions, end }) => [topic, partitions ?? 'missing', end]),
    ['partitions', 'end offsets'],
  ),
  tableText(
    ['group', 'topic', 'members', 'committed pos', 'lag'],
    groups.map(({ group, topic, members, pos, lag }) => [group, topic, members, posText(pos), lag]),
    ['members', 'lag'],
  ),
  `last Output of the log: ${posText(lastOutput)}; last barrier: ${posText(lastBarrier?.pos ?? null)}`,
]

/** A pos is µs since 1970. */
const posText = (pos: bigint | null): string => {
  if (pos === null) return 'none'
  if (pos === 0n) return 'the beginning'
  return `${pos} (${new Date(Number(pos / 1000n)).toISOString()})`
}
