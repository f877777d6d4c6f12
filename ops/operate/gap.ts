import type { Command, EnginePosition } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import { tableText } from '../table-text.ts'
import { type EnginePoint, pointText, positionText } from './arguments.ts'
import { checkWaiting } from './check-waiting.ts'
import { nowhere } from '../log-position.ts'
import { recordsBack } from '../records-back.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from './operator-command.ts'

export type GapArguments = { readonly after: EnginePoint; readonly to?: EnginePosition }

/** Accepts the loss of engine outputs: the bridge goes on behind them. */
export const gapRequest = ({ after, to }: GapArguments): OperatorRequest => {
  if (to) checkBeyond(after, to)
  return {
    isSame: async record =>
      record.kind === 'Gap' &&
      pointText(record.after) === pointText(after) &&
      (to ? record.to !== null && positionText(record.to) === positionText(to) : record.to === null),
    plan: async (places, command, waiting) => {
      checkWaiting(waiting, ({ kind }) => kind === 'Gap')
      return planGap(places, command, { after, to: to ?? null })
    },
  }
}

const checkBeyond = (after: EnginePoint, to: EnginePosition): void => {
  const isBeyond =
    to.epoch > after.epoch || (to.epoch === after.epoch && to.random === after.random && to.seq >= after.seq)
  if (isBeyond) return
  throw new Stop({
    code: 'gap-backwards',
    reason: 'usage',
    message:
      `--to ${pointText(to)} lies before --after ${pointText(after)}, or beside it: it must be the same session and no lower seq, or a ` +
      'session of a higher epoch. It names the last output that is lost, not the first one that follows',
  })
}

const planGap = async (
  { kafka, names }: OperatorPlaces,
  command: Command,
  { after, to }: { readonly after: EnginePoint; readonly to: EnginePosition | null },
): Promise<Plan> => {
  const topic = names.topics.log
  const [tail] = await kafka.readTail({ topic, partition: 0, count: 1 })
  const last = tail ? decodeLogRecord(tail.value) : null
  const at = last?.at ?? nowhere
  const stands = last
    ? `after ${pointText(at)} (its last record is a ${last.kind} at pos ${last.pos})`
    : 'at its beginning, it is empty'
  if (pointText(at) !== pointText(after))
    throw refuse(
      'gap-elsewhere',
      `the log stands ${stands}, not after ${pointText(after)}: it has gone on, or --after is not of this stream; look why the ` +
        `bridge stopped, and give that place`,
      { stands: pointText(at) },
    )
  if (to && positionText(to) === positionText(at))
    throw refuse('gap-of-nothing', `--to ${positionText(to)} is where the log stands: nothing would be given up`)
  const lost = lostText(after, to)
  const lastOutput = await lastOutputText(kafka, topic)
  const rows = [
    ['the log stands after', positionText(at)],
    ['its last record', last ? `${last.kind} at pos ${last.pos}, ${timeOf(last.pos)}` : 'none: the log is empty'],
    ['its last output', lastOutput],
    ['lost for ever', lost],
    [
      'the log goes on after',
      to ? positionText(to) : 'what the engine names: the place before the first output that it keeps',
    ],
  ]
  const record = { kind: 'Gap', command, after: at, to } as const
  const warning =
    'Users whose changes are lost stop at a hole in their versions: see settle status, and settle correct.'
  return {
    record,
    text: `${tableText(['gap in', topic], rows)}\n${warning}`,
    facts: { standsAt: positionText(at), lastPos: last?.pos ?? null, lostOutputs: lostCount(after, to), lost },
  }
}

const timeOf = (pos: Pos): string => new Date(Number(pos / 1000n)).toISOString()

const lastOutputText = async (kafka: OperatorPlaces['kafka'], topic: string): Promise<string> => {
  let seen = 0
  for await (const { value } of recordsBack(kafka, { topic })) {
    const record = decodeLogRecord(value)
    if (record.kind === 'Output' || record.kind === 'Reference')
      return `seq ${record.at.seq} at pos ${record.pos}, the engine's time ${record.output.time}`
    if (++seen === 10_000) break
  }
  return `none among the last ${seen} records`
}

const isSameSession = (after: EnginePoint, to: EnginePoint): boolean =>
  to.epoch === after.epoch && to.random === after.random

/** Null when nobody but the engine can know. */
const lostCount = (after: EnginePoint, to: EnginePosition | null): bigint | null =>
  to && isSameSession(after, to) ? to.seq - after.seq : null

const lostText = (after: EnginePoint, to: EnginePosition | null): string => {
  const first = after.seq + 1n
  const session = `session ${after.epoch}/${after.random}`
  if (after.epoch === 0n)
    return `everything up to ${to ? `seq ${to.seq} of session ${to.epoch}/${to.random}` : 'the first output that the engine keeps'}: the log is empty. An archive of this stream, if there is one, holds it`
  if (!to)
    return `seq ${first} of ${session} and what follows, up to where the engine can go on; how many only the engine knows`
  if (isSameSession(after, to) && to.seq === after.seq)
    return `no output, but the proof that ${session} is whole: its chain ends here, and goes on as another`
  if (isSameSession(after, to)) return `seq ${first} to ${to.seq} of ${session}: ${to.seq - after.seq} outputs`
  return `all of ${session} from seq ${first} on, and session ${to.epoch}/${to.random} up to seq ${to.seq}; how many is not known here`
}
