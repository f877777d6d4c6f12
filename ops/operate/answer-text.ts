import type { CommandRecord } from '../../core/events.ts'
import { pointText, positionText } from './arguments.ts'
import type { Answer, Sent } from './deliver.ts'
import { signedText } from './display.ts'
import type { Plan } from './operator-command.ts'

/** How an operator's command ended, for this process. */
export type Result =
  | { readonly kind: 'dry-run'; readonly plan: Plan }
  | {
      readonly kind: 'answered'
      /** null: it was sent before, and nothing was worked out. */
      readonly plan: Plan | null
      readonly sent: Sent
      readonly when: 'now' | 'before'
      /** What this process did itself besides. */
      readonly effect: string | null
      readonly answer: Answer
    }
  | {
      readonly kind: 'unanswered'
      readonly plan: Plan | null
      readonly sent: Sent
      readonly when: 'now' | 'before'
      /** What this process did itself besides. */
      readonly effect: string | null
      readonly waitMs: number
    }

const timeText = (time: bigint): string => new Date(Number(time / 1000n)).toISOString()

/** The last lines for people; the plan was shown before. */
export const answerText = (name: string, result: Result): string => {
  if (result.kind === 'dry-run')
    return `settle ${name}: dry run, nothing was sent; the same command without --dry-run sends it`
  const { sent, when, effect } = result
  const { id, who, why, time } = sent.record.command
  const earlier =
    when === 'before'
      ? `command ${id} was sent before, by ${who} at ${timeText(time)} ("${why}"); nothing was sent now\n`
      : ''
  const head = effect === null ? earlier : `${earlier}settle ${name}: ${effect}\n`
  if (result.kind === 'unanswered') {
    const waited = result.waitMs === 0 ? 'nobody waited for an answer' : `no answer within ${result.waitMs} ms`
    return (
      `${head}settle ${name}: ${waited}. Command ${id} stands in the topic (offset ${sent.offset}) and acts once, when a ` +
      `bridge is active. Look again by the same command with --id ${id}; settle status tells whether a bridge runs`
    )
  }
  return `${head}settle ${name}: ${outcomeText(result.answer)} (command ${id}, pos ${result.answer.pos})`
}

const outcomeText = (answer: Answer): string => {
  switch (answer.kind) {
    case 'Refused':
      return `REFUSED by the bridge: ${answer.reason}; the log is as it was but for the record of this`
    case 'Gap':
      return `done: after ${pointText(answer.lostAfter)} the log goes on from ${positionText(answer.at)}`
    case 'Correction': {
      const { user, asset, version, deltaAvailable, deltaFrozen } = answer.correction
      return (
        `done: user ${user}, asset ${asset} is corrected to version ${version} ` +
        `(${signedText(deltaAvailable)} available, ${signedText(deltaFrozen)} frozen)`
      )
    }
    case 'Admit':
      return `done: the output at pos ${answer.refusedPos} is admitted; repartition takes it when it is started again`
    case 'Redrive':
      return `done: settle reads the log again for user ${answer.user} as soon as it comes to it; see settle status`
    case 'Note':
      return `done: noted in the log: ${answer.text}`
  }
}

const commandJson = (record: CommandRecord): unknown => {
  switch (record.kind) {
    case 'Gap':
      return {
        ...record,
        after: positionText(record.after),
        to: record.to && positionText(record.to),
      }
    case 'Correct':
    case 'Admit':
    case 'Redrive':
    case 'Note':
      return record
  }
}

const answerJson = (answer: Answer): unknown => {
  const at = positionText(answer.at)
  return answer.kind === 'Gap' ? { ...answer, at, lostAfter: positionText(answer.lostAfter) } : { ...answer, at }
}

export const resultJson = (result: Result): Readonly<Record<string, unknown>> => {
  const facts = result.plan?.facts ?? null
  if (result.kind === 'dry-run') return { sent: 'no', command: commandJson(result.plan.record), facts, answer: null }
  const { sent, when, effect } = result
  return {
    sent: when,
    command: commandJson(sent.record),
    facts,
    ...(effect === null ? {} : { effect }),
    answer: result.kind === 'answered' ? answerJson(result.answer) : null,
  }
}
