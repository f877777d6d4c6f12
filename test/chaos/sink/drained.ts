import { lastUpToPos } from '../../../ops/last-places.ts'
import { pos as asPos } from '../../../core/ids.ts'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import { logNumbering, type Numbering, userNumbering } from '../../../runtime/reader/numbering.ts'
import { fromCommitted } from '../../../runtime/reader/progress.ts'
import { windowOf, windowStart } from '../../../schemas/archive/archive-name.ts'
import type { StreamStage } from '../stream-stage.ts'

/**
 * Who has not yet written all that the topics call for, while nothing new comes: load is to be past each partition's
 * last record, the archive past the last one of each partition's last closed window.
 */
export const notDrained = async ({ kafka, names, intervals }: StreamStage): Promise<readonly string[]> => {
  const { groups, topics } = names
  const { windowMs } = intervals
  const behind = await Promise.all([
    behindOf(kafka, { group: groups.load, topic: topics.users, numbering: userNumbering, last: pos => pos }),
    behindOf(kafka, { group: groups.archive, topic: topics.users, numbering: userNumbering, last: closed(windowMs) }),
    behindOf(kafka, { group: groups.archiveLog, topic: topics.log, numbering: logNumbering, last: closed(windowMs) }),
  ])
  return behind.flat()
}

/** The highest pos of the windows that are closed by a record at that pos. */
const closed =
  (windowMs: number) =>
  (pos: bigint): bigint =>
    windowStart(windowOf(pos, windowMs), windowMs) - 1n

const behindOf = async <R extends { readonly pos: ReturnType<typeof asPos> }>(
  kafka: KafkaPort,
  of: {
    readonly group: string
    readonly topic: string
    readonly numbering: Numbering<R>
    /** The highest pos to be written, by the pos of the partition's last record. */
    readonly last: (pos: bigint) => bigint
  },
): Promise<readonly string[]> => {
  const { group, topic, numbering, last } = of
  const behind: string[] = []
  const committed = await kafka.committed({ group, topic })
  for (const partition of (await kafka.bounds(topic)).keys()) {
    const [end] = await kafka.readTail({ topic, partition, count: 1 })
    if (!end) continue
    const until = asPos(last(numbering.decode(end.value).pos))
    const target = await lastUpToPos(kafka, { topic, partition, decode: numbering.decode }, until)
    const offset = committed.get(partition)
    const at = (offset && fromCommitted(offset)?.pos) ?? 0n
    if (target && at < target.record.pos)
      behind.push(`${group} is at pos ${at} of partition ${partition}, it should come to ${target.record.pos}`)
  }
  return behind
}
