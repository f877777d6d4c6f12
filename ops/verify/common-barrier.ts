import type { Barrier } from '../../core/events.ts'
import { type Pos, pos as asPos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { serviceOfGroup, type StreamNames } from '../../runtime/names.ts'
import { fromCommitted, type Progress } from '../../runtime/reader/progress.ts'
import { Stop } from '../../runtime/stop.ts'
import { barriersBack, lastOutput } from '../last-places.ts'

type ReaderName = 'settle' | 'load' | 'archive' | 'archiveLog'
/** How far each reader has come, by partition of its topic; null: what it writes is left out. */
type Readers = Readonly<Record<ReaderName, ReadonlyMap<number, Progress> | null>>

export type CommonBarrier = {
  readonly barrier: Barrier
  readonly readers: Readers
  /** pos of the log's last Output when it was asked for; 0 when there is none. */
  readonly lastOutput: Pos
}

type Options = {
  readonly kafka: KafkaPort
  readonly names: StreamNames
  readonly partitions: number
  /** Readers whose places are not compared: nobody waits for them. */
  readonly without: ReadonlySet<ReaderName>
}

/**
 * The highest barrier that every reader has committed to be past: what they wrote up to it is durable. Null when there
 * is none yet.
 * @throws Stop `offset-foreign` when a group's metadata is not its reader's
 */
const findCommonBarrier = async (options: Options): Promise<CommonBarrier | null> => {
  const readers = await readProgress(options)
  const lastOutput = await lastOutputPos(options)
  const barrier = await highestBarrier(options, readers)
  return barrier && { barrier, readers, lastOutput }
}

/** Waits until the common barrier covers the last Output that the log had at first. */
export const awaitCommonBarrier = async (
  options: Options & { readonly clock: Clock; readonly waitMs: number },
): Promise<CommonBarrier> => {
  const { clock, waitMs } = options
  const target = await lastOutputPos(options)
  const start = clock.monotonicMs()
  for (;;) {
    const found = await findCommonBarrier(options)
    const covers = found !== null && found.barrier.pos >= target
    if (found && (covers || waitMs === 0)) return found
    const waitedMs = Math.round(clock.monotonicMs() - start)
    if (waitedMs >= waitMs) throw await notCovered({ options, target, waitedMs, found })
    await clock.sleep(Math.min(pollMs, waitMs - waitedMs))
  }
}

const pollMs = 250

const readProgress = async ({ kafka, names, without }: Options): Promise<Readers> => {
  const { groups, topics } = names
  const of = async (name: ReaderName, topic: string): Promise<ReadonlyMap<number, Progress> | null> => {
    if (without.has(name)) return null
    const group = groups[name]
    const progress = new Map<number, Progress>()
    for (const [partition, committed] of await kafka.committed({ group, topic })) {
      const each = fromCommitted(committed)
      if (!each)
        throw new Stop({
          code: 'offset-foreign',
          reason: 'refused',
          message: `group ${group}, ${topic}-${partition}: metadata ${JSON.stringify(committed.metadata)} is not its reader's; read it from its beginning with settle replay --group ${serviceOfGroup(group)} --to start`,
        })
      progress.set(partition, each)
    }
    return progress
  }
  return {
    settle: await of('settle', topics.users),
    load: await of('load', topics.users),
    archive: await of('archive', topics.users),
    archiveLog: await of('archiveLog', topics.log),
  }
}

/** Searched from where the slowest reader of the first partition is. */
const highestBarrier = async ({ kafka, names, partitions }: Options, readers: Readers): Promise<Barrier | null> => {
  const users = [readers.settle, readers.load, readers.archive].filter(progress => progress !== null)
  const offsets = users.map(progress => progress.get(0)?.offset ?? 0n)
  const before = offsets.reduce((least, offset) => (offset < least ? offset : least))
  for await (const barrier of barriersBack(kafka, { topic: names.topics.users, before }))
    if (isPassed(barrier, users, readers, partitions)) return barrier
  return null
}

const isPassed = (
  barrier: Barrier,
  users: readonly ReadonlyMap<number, Progress>[],
  { archiveLog }: Readers,
  partitions: number,
): boolean =>
  (archiveLog === null || (archiveLog.get(0)?.pos ?? 0n) >= barrier.pos) &&
  Array.from({ length: partitions }, (_, partition) => partition).every(partition =>
    users.every(progress => (progress.get(partition)?.n ?? 0n) >= (barrier.ns[partition] ?? 0n)),
  )

const lastOutputPos = async ({ kafka, names }: Options): Promise<Pos> =>
  (await lastOutput(kafka, names.topics.log)) ?? asPos(0n)

const notCovered = async ({
  options,
  target,
  waitedMs,
  found,
}: {
  readonly options: Options
  readonly target: Pos
  readonly waitedMs: number
  readonly found: CommonBarrier | null
}): Promise<Stop> => {
  const readers = await readProgress(options)
  const behind = (Object.keys(readers) as ReaderName[]).flatMap(name => {
    const progress = readers[name]
    if (!progress) return []
    const places = [...progress.values()].map(({ pos }) => pos)
    const least = places.reduce((low, pos) => (pos < low ? pos : low), places[0] ?? (0n as Pos))
    return places.length > 0 && least >= target ? [] : [`${name} is at pos ${least}`]
  })
  const at = found ? `the common barrier is at pos ${found.barrier.pos}` : 'there is no common barrier yet'
  const why = behind.length > 0 ? behind.join(', ') : 'no barrier was written behind it'
  return new Stop({
    code: 'verify-behind',
    reason: 'failed',
    message: `${at} after ${waitedMs} ms, the log's last Output is at pos ${target}: ${why}; see that every service runs (settle status), or wait longer (--wait-ms)`,
    context: { target, waitedMs },
  })
}
