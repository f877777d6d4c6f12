import { randomUUID } from 'node:crypto'
import type { Command, CommandRecord } from '../../core/events.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { FilesPort } from '../../runtime/files.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { refuse } from '../../runtime/stop.ts'
import { windowStart } from '../../schemas/archive/archive-name.ts'
import { formatTimeUs } from '../../schemas/archive/iso-time.ts'
import { decodeCommandRecord } from '../../schemas/codec.ts'
import { readCommands, send } from '../operate/deliver.ts'
import { recordsBack } from '../records-back.ts'
import { type ArchivedWhole, ArchiveSource } from './archive-source.ts'
import { compareLog, type Held } from './compare-log.ts'
import { restoreLimits as limits } from './limits.ts'
import { refill } from './refill.ts'
import { filesBehind, setAside } from './set-aside.ts'

export type RestoreOptions = {
  readonly dir: string
  readonly kafka: KafkaPort
  readonly files: FilesPort
  readonly clock: Clock
  readonly names: StreamNames
  readonly who: string
  readonly why: string
  readonly id?: string
  readonly mode: 'write' | 'dry-run'
  /** How far it is. */
  readonly live: (text: string | null) => void
}

/** Of an operator's command that was answered in the part of the log that the archive does not have. */
type LostAnswer = Pick<Command, 'id' | 'who' | 'why'> & { readonly kind: CommandRecord['kind'] }

export type RestoreResult = {
  readonly archive: Omit<ArchivedWhole, 'commandIds'>
  readonly held: Held
  /** Null in a dry run. */
  readonly written: bigint | null
  /** Files of windows behind the log's last one, moved out of the archive. */
  readonly aside: { readonly files: number; readonly folder: string } | null
  readonly lostAnswers: readonly LostAnswer[]
}

/**
 * Refills `engine.outputs` from the archive's copy of it: the same bytes, the same times, in the same order. It goes on
 * where an earlier one was cut, and changes nothing when all of it is there.
 * @throws Stop, before anything is written, when the archive is not whole, the topic holds something else, or a bridge runs
 */
export const restore = async (options: RestoreOptions): Promise<RestoreResult> => {
  const { dir, kafka, clock, names, mode, live } = options
  const { stream, topics } = names
  await checkTopics(options)
  await checkNoBridge(options)
  const source = await ArchiveSource.open(dir, stream)
  const whole = await source.prove((windows, of) => live(`proving the archive: ${windows} of ${of} windows`))
  checkClock(clock, whole)
  const batchBytes = await batchBytesOf(options, whole)
  live(`comparing ${topics.log} with the archive`)
  const held = await compareLog({ kafka, clock, topic: topics.log, archived: source.records(whole, null) })
  const lostAnswers = await lostAnswersOf(options, whole)
  const behind = held.beyond > 0n ? [] : filesBehind(source.folders, whole.lastWindow)
  const folder = `${stream}.set-aside-${clock.nowUs()}`
  const aside = behind.length === 0 ? null : { files: behind.length, folder }
  const { commandIds: _, ...archive } = whole
  const result = { archive, held, aside, lostAnswers }
  if (mode === 'dry-run') return { ...result, written: null }
  if (held.records === whole.records) return { ...result, aside: null, written: 0n }
  if (aside) await setAside(options.files, { dir, to: aside.folder, placed: behind })
  await sendNote(options, whole)
  await refill({
    ...{ kafka, clock, names, source, whole, batchBytes },
    onProgress: done => live(`restoring ${topics.log}: ${held.records + done} of ${whole.records} records`),
  })
  return { ...result, written: whole.records - held.records }
}

const checkTopics = async ({ kafka, names }: RestoreOptions): Promise<void> => {
  const { log, commands } = names.topics
  const counts = await kafka.admin.partitionCounts([log, commands])
  for (const topic of [log, commands])
    if (!counts.has(topic))
      throw refuse(
        'topic-missing',
        `topic ${topic} does not exist; see that STREAM=${names.stream} and KAFKA_BROKERS are right, or run: settle init`,
        { topic },
      )
}

/** One that runs would be fenced, and would fence in turn: it is asked for first. */
const checkNoBridge = async ({ kafka, names }: RestoreOptions): Promise<void> => {
  const group = names.groups.bridge
  const members = await kafka.admin.members(group)
  if (members.length === 0) return
  const named = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')
  throw refuse(
    'restore-bridge-runs',
    `${members.length} bridges of the stream run: ${named}. Stop them all; one that was killed leaves its group ${group} when its session times out`,
    { group, members },
  )
}

/** What comes next must be stamped behind the archive's last window, or that window would get another content. */
const checkClock = (clock: Clock, { windowMs, lastWindow }: ArchivedWhole): void => {
  const end = windowStart(lastWindow + 1n, windowMs)
  const now = clock.nowUs()
  if (now >= end) return
  throw refuse(
    'restore-clock',
    `this machine's clock says ${formatTimeUs(now)}, and the archive holds windows up to ${formatTimeUs(end)}: set the clock right`,
  )
}

const batchBytesOf = async ({ kafka, names }: RestoreOptions, { largest }: ArchivedWhole): Promise<number> => {
  const topic = names.topics.log
  const key = 'max.message.bytes'
  const max = Number((await kafka.admin.topicConfig(topic, [key])).get(key))
  if (largest + limits.recordOverheadBytes > max)
    throw refuse(
      'restore-record-too-large',
      `the archive's largest record has ${largest} bytes, topic ${topic} takes ${key}=${max}: make it anew by settle init with a larger MAX_MESSAGE_BYTES`,
    )
  return Math.min(limits.batchBytes, max)
}

/** Commands that a bridge took before the disaster, and whose answers went down with the end of the log. */
const lostAnswersOf = async (
  { kafka, names }: RestoreOptions,
  { commandIds }: ArchivedWhole,
): Promise<readonly LostAnswer[]> => {
  const { groups, topics } = names
  const next = (await kafka.committed({ group: groups.bridge, topic: topics.commands })).get(0)?.offset ?? 0n
  const lost: LostAnswer[] = []
  for await (const { value } of recordsBack(kafka, { topic: topics.commands, before: next })) {
    const asked = decoded(value)
    if (!asked || commandIds.has(asked.command.id)) continue
    const { id, who, why } = asked.command
    lost.push({ kind: asked.kind, id, who, why })
  }
  return lost.toReversed()
}

const decoded = (value: Buffer): CommandRecord | null => {
  try {
    return decodeCommandRecord(value)
  } catch {
    return null
  }
}

/** Sent before the first record is written: the log will tell of the restore, whatever becomes of it. */
const sendNote = async (options: RestoreOptions, whole: ArchivedWhole): Promise<void> => {
  const { kafka, clock, names, who, why } = options
  const id = options.id ?? randomUUID()
  const text = `settle restore: ${names.topics.log} is refilled from its archive, ${whole.records} records up to pos ${whole.last.pos}, head ${whole.head}`
  const seen = await readCommands({ kafka, names }, id)
  // A restore that was cut has sent it; no bridge has come to it, since none goes on before the log is whole.
  if (seen.sent || seen.waiting.some(each => each.kind === 'Note' && each.text === text)) return
  await send({ kafka, names }, { kind: 'Note', command: { id, who, why, time: clock.nowUs() }, text }, seen)
}
