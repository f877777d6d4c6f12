import type { Command as CommandHead } from '../../core/events.ts'
import type { Clock } from '../../runtime/clock.ts'
import { exitCodes, refuse, Stop } from '../../runtime/stop.ts'
import { jsonText } from '../json-text.ts'
import { answerText, type Result, resultJson } from './answer-text.ts'
import { awaitAnswer, readCommands, send, type Sent } from './deliver.ts'
import type { OperatorPlaces, OperatorRequest, Plan } from './operator-command.ts'

/**
 * Looks whether the id was used, works out what would be sent, sends it once, and waits for what the bridge makes of
 * it. The exit code: 0 done (or sent, where nobody waits), 1 no answer yet, 3 refused by the bridge.
 * @throws Stop for what can't or must not be done, before anything is sent
 */
export const operate = async (options: {
  readonly name: string
  readonly places: OperatorPlaces
  readonly clock: Clock
  readonly out: (text: string) => void
  readonly request: OperatorRequest
  readonly command: CommandHead
  readonly mode: 'send' | 'dry-run'
  readonly format: 'text' | 'json'
  readonly waitMs: number
}): Promise<number> => {
  const { name, places, clock, out, request, command, mode, format, waitMs } = options
  const { kafka, names, progress } = places
  const { id } = command
  const tell = (result: Result): void => {
    if (format === 'json') out(jsonText({ stream: names.stream, name, ...resultJson(result) }))
    else out(answerText(name, result))
  }
  await checkTopics(places)
  const checked = (sent: Sent | null): Promise<Sent | null> => checkSame({ request, places, name }, sent)
  const seen = await readCommands({ kafka, names }, id)
  const earlier = await checked(seen.sent)
  let plan: Plan | null = null
  let sent = earlier
  if (!sent) {
    plan = await request.plan(places, command, seen.waiting)
    if (format === 'text') out(plan.text)
    if (mode === 'dry-run') {
      tell({ kind: 'dry-run', plan })
      return exitCodes.done
    }
    // Before it is sent: whatever happens from here on, the operator has the id.
    progress(`settle ${name}: sending command ${id}`)
    sent = await checked(await send({ kafka, names }, plan.record, seen))
  }
  if (!sent) throw new Error(`command ${id} was neither found nor sent`)
  const effect = (await request.effect?.(places, sent.record)) ?? null
  const answer = waitMs > 0 || earlier ? await awaitAnswer({ kafka, clock, names }, { sent, waitMs }) : null
  const when = earlier ? 'before' : 'now'
  if (answer) tell({ kind: 'answered', plan, sent, when, effect, answer })
  else tell({ kind: 'unanswered', plan, sent, when, effect, waitMs })
  if (answer) return answer.kind === 'Refused' ? exitCodes.refused : exitCodes.done
  return waitMs === 0 && !earlier ? exitCodes.done : exitCodes.failed
}

const checkTopics = async ({ kafka, names }: OperatorPlaces): Promise<void> => {
  const { log, commands, users } = names.topics
  const counts = await kafka.admin.partitionCounts([log, commands, users])
  for (const topic of [log, commands, users])
    if (!counts.has(topic))
      throw refuse(
        'topic-missing',
        `topic ${topic} does not exist; see that STREAM=${names.stream} and KAFKA_BROKERS are right, or run: settle init`,
        { topic },
      )
}

/** An id names one command for ever. */
const checkSame = async (
  {
    request,
    places,
    name,
  }: { readonly request: OperatorRequest; readonly places: OperatorPlaces; readonly name: string },
  sent: Sent | null,
): Promise<Sent | null> => {
  if (!sent || (await request.isSame(sent.record, places))) return sent
  const { kind, command } = sent.record
  throw new Stop({
    code: 'id-taken',
    reason: 'usage',
    message:
      `--id ${command.id} was used before for another command: a ${kind} of ${command.who} ("${command.why}"); ` +
      `nothing was sent. Leave --id out for a new settle ${name}, or give the arguments of the earlier one to look at its answer`,
    context: { id: command.id },
  })
}
