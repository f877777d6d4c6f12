import type { Command, CommandRecord } from '../../core/events.ts'
import { type CommittedOffset, KafkaFailure } from '../../runtime/kafka/port.ts'
import { fromCommitted, type Progress, toCommitted } from '../../runtime/reader/progress.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { type GroupSpec, groupSpecs, offsetProblem } from '../init/groups.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from '../operate/operator-command.ts'
import { tableText } from '../table-text.ts'
import { findTarget, lastBarrier, type ReplayTarget, type ReplayTo } from './target.ts'

/** The services that read as groups, by the words of `--group`. */
export const replayGroups = ['settle', 'load', 'archive', 'archive-log'] as const
export type ReplayGroup = (typeof replayGroups)[number]

export type ReplayArguments = { readonly group: ReplayGroup; readonly to: ReplayTo }

type Replay = {
  readonly spec: GroupSpec
  readonly target: ReplayTarget
  /** Where the group stands in each partition; null where nothing of a reader's tells it. */
  readonly stands: readonly (Progress | null)[]
  /** What the log keeps of it. */
  readonly text: string
}

/**
 * Sets a group's offsets back, so that its services read again what they have read. The command is sent first: no
 * offset is set that the log will not tell of. It is answered by a Note.
 */
export const replayRequest = (given: ReplayArguments): OperatorRequest => {
  const head = noteHead(given)
  return {
    isSame: async record => record.kind === 'Note' && record.text.startsWith(head),
    plan: async (places, command) => planOf(await workOut(places, given), command),
    effect: (places, record) => setOffsets(places, given, record),
  }
}

const workOut = async ({ kafka, names, partitions }: OperatorPlaces, given: ReplayArguments): Promise<Replay> => {
  const spec = specOf(names, partitions, given.group)
  checkGroup(given)
  await checkEmpty({ kafka }, spec)
  const committed = await kafka.committed(spec)
  const stands = await standsOf({ kafka }, spec, committed)
  const target = await findTarget(kafka, spec, given.to)
  await checkNothingLeftOut({ kafka }, { spec, stands, target })
  const steps = stepsText(
    committed,
    target.places.map(({ offset }) => offset),
  )
  const where = target.barrier === null ? 'its first record' : `just after the barrier at pos ${target.barrier}`
  const text = `${noteHead(given)}group ${spec.group} on ${spec.topic} is set to ${where}, offsets by partition ${steps}`
  return { spec, target, stands, text }
}

const noteHead = ({ group, to }: ReplayArguments): string =>
  `settle replay --group ${group} --to ${to.kind === 'start' ? 'start' : to.pos}: `

const standsOf = async (
  { kafka }: Pick<OperatorPlaces, 'kafka'>,
  spec: GroupSpec,
  committed: ReadonlyMap<number, CommittedOffset>,
): Promise<readonly (Progress | null)[]> => {
  const bounds = await kafka.bounds(spec.topic)
  const stand = async (partition: number): Promise<Progress | null> => {
    const offset = committed.get(partition)
    if (!offset) return null
    const problem = await offsetProblem(kafka, { spec, partition, offset, bounds: bounds.get(partition) })
    return problem === null ? fromCommitted(offset) : null
  }
  return Promise.all(Array.from({ length: spec.partitions }, (_, partition) => stand(partition)))
}

const specOf = (names: StreamNames, partitions: number, group: ReplayGroup): GroupSpec => {
  const name = { ...names.groups, 'archive-log': names.groups.archiveLog }[group]
  const spec = groupSpecs(names, partitions).find(each => each.group === name)
  if (!spec) throw new Error(`no group ${name}`)
  return spec
}

const checkGroup = ({ group, to }: ReplayArguments): void => {
  if (to.kind === 'start' || group === 'settle' || group === 'load') return
  throw new Stop({
    code: 'replay-archive-start',
    reason: 'usage',
    message:
      `the archive goes on only at the edge of one of its windows, with the hash of the window before: --group ${group} ` +
      'takes --to start only. It then writes every window again, the same bytes under the same names',
  })
}

const checkEmpty = async (
  { kafka }: Pick<OperatorPlaces, 'kafka'>,
  { group }: Pick<GroupSpec, 'group'>,
): Promise<void> => {
  const members = await kafka.admin.members(group)
  if (members.length === 0) return
  const named = members.map(({ clientId, host }) => `${clientId} at ${host}`).join(', ')
  throw refuse(
    'replay-group-busy',
    `group ${group} has ${members.length} members: ${named}. Stop them all first; one that was killed leaves the group ` +
      'when its session times out',
    { group, members },
  )
}

/** Set forward, or by guess, a group would leave records out for ever. */
const checkNothingLeftOut = async (
  { kafka }: Pick<OperatorPlaces, 'kafka'>,
  { spec, stands, target }: Pick<Replay, 'spec' | 'stands' | 'target'>,
): Promise<void> => {
  const { group, topic } = spec
  if (
    target.places.every(
      ({ offset, n }, partition) => n === stands[partition]?.n && offset === stands[partition]?.offset,
    )
  )
    throw refuse('replay-of-nothing', `group ${group} stands there already, in all partitions of ${topic}`)
  if (target.barrier === null) return
  const unknown = stands.flatMap((each, partition) => (each ? [] : [partition]))
  if (unknown.length > 0)
    throw refuse(
      'replay-place-unknown',
      `group ${group}: nothing tells how far it came in partition ${unknown.join(', ')} of ${topic} (its offset is missing, ` +
        'outside the topic, or not that of a record read there): only --to start is sure to leave nothing out',
    )
  const known = stands.filter(each => each !== null)
  const behind = target.places.findIndex(({ n }, partition) => n > (stands[partition]?.n ?? 0n))
  if (behind < 0) return
  const least = known.reduce((low, { pos }) => (pos < low ? pos : low), target.barrier)
  const reached = await lastBarrier(kafka, topic, least)
  throw refuse(
    'replay-forward',
    `group ${group} has come to n=${String(stands[behind]?.n)} of ${topic}, partition ${behind}; just after the barrier at ` +
      `pos ${target.barrier} would leave records out. ` +
      (reached ? `The last barrier that it has passed everywhere: --to ${reached.pos}` : 'Only --to start goes back'),
  )
}

const planOf = ({ spec, target, stands, text }: Replay, command: Command): Plan => {
  const { group, topic } = spec
  const where = target.barrier === null ? 'the first record' : `just after the barrier at pos ${target.barrier}`
  const head = ['partition', 'stands after n', 'pos', 'goes to after n', 'offset', 'records to read again']
  const rows = target.places.map(({ n, offset }, partition) => {
    const at = stands[partition]
    return [partition, at?.n ?? 'unknown', at?.pos ?? 'unknown', n, offset, at ? at.n - n : 'all']
  })
  return {
    record: { kind: 'Note', command, text },
    text: [
      `Group ${group} on ${topic} goes back to ${where}`,
      tableText(head, rows, head),
      'What it reads again it writes again, the same bytes. Start its services when this is done.',
    ].join('\n'),
    facts: {
      group,
      topic,
      barrier: target.barrier,
      partitions: target.places.map((to, partition) => ({ partition, from: stands[partition] ?? null, to })),
    },
  }
}

/** A group that does not stand where the command found it was set by it before, and may have read on. */
const setOffsets = async (places: OperatorPlaces, given: ReplayArguments, record: CommandRecord): Promise<string> => {
  const { kafka, names, partitions } = places
  const spec = specOf(names, partitions, given.group)
  const { group, topic } = spec
  if (record.kind !== 'Note' || !record.text.endsWith(stepsText(await kafka.committed(spec), toOffsets(record.text))))
    return `group ${group} no longer stands where this command found it: it was set before, or has read on; nothing was set now`
  const again = `its command stands: run the same again with --id ${record.command.id}`
  const { target } = await workOut(places, given).catch((error: unknown) => {
    if (error instanceof Stop) throw refuse(error.code, `nothing was set: ${error.message}; ${again}`, error.context)
    throw error
  })
  const offsets = new Map(target.places.map((place, partition) => [partition, toCommitted(place)]))
  await kafka.admin.setOffsets({ group, topic, offsets }).catch((error: unknown) => {
    if (!(error instanceof KafkaFailure)) throw error
    throw new Stop({
      code: 'replay-not-set',
      reason: 'failed',
      message: `the offsets of group ${group} were not set: ${error.message}; ${again}`,
      cause: error,
    })
  })
  return `group ${group} is set`
}

/** From where to where, by partition: the end of the note. */
const stepsText = (from: ReadonlyMap<number, CommittedOffset>, to: readonly bigint[]): string =>
  to.map((offset, partition) => `${partition}: ${from.get(partition)?.offset ?? 'none'} → ${offset}`).join(', ')

const toOffsets = (text: string): readonly bigint[] =>
  [...text.matchAll(/→ (\d+)/g)].map(([, offset]) => BigInt(offset ?? ''))
