import type { Command, CommandRecord, EnginePosition } from '../core/events.ts'
import type { Pos } from '../core/ids.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Fetcher, KafkaPort, KafkaRecord } from '../runtime/kafka/port.ts'
import { KafkaFailure } from '../runtime/kafka/port.ts'
import type { StreamNames } from '../runtime/names.ts'
import { restoreMark } from '../runtime/restore-mark.ts'
import { refuse } from '../runtime/stop.ts'
import { DecodeError, decodeCommandRecord } from '../schemas/codec.ts'
import { named } from './effect.ts'
import { limits } from './limits.ts'
import type { Answer } from './log-writer.ts'

export type GapCommand = Extract<CommandRecord, { kind: 'Gap' }>

/** What became of a Gap that waited for the stop it is for. */
export type GapOutcome =
  /** Answered in the very place in the log where the stop was met. */
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The term ended first; the command is read again in the next. */
  | { readonly kind: 'over' }

/** The bridge, as commands see it. */
export interface CommandDesk {
  /** Where the log stands once everything queued is written. */
  readonly at: EnginePosition
  /** The highest pos stamped so far. */
  readonly pos: Pos
  /** Queues the answer where the log stands then; it is committed together with the command's offset. */
  answer(answer: Answer, offset: bigint): Promise<void>
  /** Resolves when the outputs that a Gap gives up were missed, were delivered after all, or nothing came. */
  meetGap(gap: GapCommand, offset: bigint): Promise<GapOutcome>
}

type Parts = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly names: StreamNames
}

/**
 * Reads `operator.commands` from the group's committed offset on, in order, and answers each with exactly one record of
 * the log. Opened after the fence: what was answered before it is committed with its answer.
 */
export class OperatorCommands {
  readonly #parts: Parts
  readonly #fetcher: Fetcher
  /** Ids of earlier commands, whatever became of them; the oldest are forgotten at a bound. */
  readonly #seen: Set<string>
  #next: bigint
  readonly #end: bigint
  readonly #read = Promise.withResolvers<void>()

  private constructor(parts: Parts, from: { fetcher: Fetcher; seen: Set<string>; next: bigint; end: bigint }) {
    this.#parts = parts
    this.#fetcher = from.fetcher
    this.#seen = from.seen
    this.#next = from.next
    this.#end = from.end
    if (this.#next >= this.#end) this.#read.resolve()
  }

  /** @throws Stop `commands-offset` when the group has no offset, or one outside the topic; `log-half-restored` */
  static async open(parts: Parts): Promise<OperatorCommands> {
    const { kafka, names } = parts
    const { groups, topics } = names
    const committed = (await kafka.committed({ group: groups.bridge, topic: topics.commands })).get(0)
    const bounds = (await kafka.bounds(topics.commands)).get(0)
    if (!committed || !bounds)
      throw refuse(
        'commands-offset',
        `group ${groups.bridge} has no offset of ${topics.commands}: where to read is not known; run: settle init`,
      )
    const { offset, metadata } = committed
    if (metadata === restoreMark.begun)
      throw refuse(
        'log-half-restored',
        `a restore of ${topics.log} was cut, or goes on: the log holds only the beginning of its archive, and to go on from there would give new places to what the archive still holds; run settle restore to its end first`,
      )
    if (offset < bounds.low || offset > bounds.end)
      throw refuse(
        'commands-offset',
        `group ${groups.bridge} stands at offset ${offset} of ${topics.commands}, which holds ${bounds.low} to ${bounds.end}: the topic was remade; run: settle init`,
      )
    const fetcher = kafka.openFetcher()
    try {
      const seen = await readSeen({ fetcher, topic: topics.commands, low: bounds.low, end: offset })
      return new OperatorCommands(parts, { fetcher, seen, next: offset, end: bounds.end })
    } catch (error) {
      await fetcher.close()
      throw error
    }
  }

  /** Resolves when what stood in the topic at the opening is answered, or waits for a stop; and when nothing is read any more. */
  get read(): Promise<void> {
    return this.#read.promise
  }

  /** Goes on until the signal is aborted. */
  async run(desk: CommandDesk, signal: AbortSignal): Promise<void> {
    try {
      await this.#follow(desk, signal)
    } finally {
      // A term that ends before all was answered would otherwise wait for itself, and no later one begin.
      this.#read.resolve()
    }
  }

  async #follow(desk: CommandDesk, signal: AbortSignal): Promise<void> {
    const { clock, names } = this.#parts
    while (!signal.aborted) {
      try {
        const { records, next } = await this.#fetcher.read({
          topic: names.topics.commands,
          partition: 0,
          offset: this.#next,
        })
        for (const record of records) {
          if (signal.aborted) return
          await this.#take(record, desk)
        }
        this.#next = next
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
        // Nothing was missed: the same offset is asked for again.
        await clock.sleep(limits.commandRetryMs, signal)
      }
      if (this.#next >= this.#end) this.#read.resolve()
    }
  }

  async close(): Promise<void> {
    await this.#fetcher.close()
  }

  async #take(record: KafkaRecord, desk: CommandDesk): Promise<void> {
    this.#next = record.offset + 1n
    const asked = decoded(record)
    const answer = await this.#answerTo(asked, desk, record.offset)
    remember(this.#seen, asked.command.id)
    if (answer) await desk.answer(answer, record.offset)
  }

  /** Null when there is nothing to queue: a Gap was answered where it was met, or the term is over. */
  async #answerTo(asked: Asked, desk: CommandDesk, offset: bigint): Promise<Answer | null> {
    const { command } = asked
    const refused = (reason: string): Answer => ({ kind: 'Refused', command, reason })
    if (asked.kind === 'Unreadable') return refused(asked.reason)
    if (this.#seen.has(command.id)) return refused(`a command of id ${command.id} was seen before; an id acts once`)
    switch (asked.kind) {
      case 'Correct':
        return { kind: 'Correction', command, correction: asked.correction }
      case 'Admit':
        if (asked.refusedPos > desk.pos || asked.refusedPos <= 0n)
          return refused(`no record has pos ${asked.refusedPos}; the log ends at ${desk.pos}`)
        return { kind: 'Admit', command, refusedPos: asked.refusedPos }
      case 'Redrive':
        return { kind: 'Redrive', command, user: asked.user }
      case 'Note':
        return { kind: 'Note', command, text: asked.text }
      case 'Gap': {
        const problem = gapProblem(asked, desk.at)
        if (problem !== null) return refused(problem)
        // From here on a stop finds the command that waits for it.
        const meeting = desk.meetGap(asked, offset)
        this.#read.resolve()
        const outcome = await meeting
        return outcome.kind === 'refused' ? refused(outcome.reason) : null
      }
    }
  }
}

type Asked = CommandRecord | { readonly kind: 'Unreadable'; readonly command: Command; readonly reason: string }

const decoded = ({ offset, value, timestampMs }: KafkaRecord): Asked => {
  try {
    return decodeCommandRecord(value)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const command = { id: `offset-${offset}`, who: '', why: '', time: timestampMs * 1000n }
    return { kind: 'Unreadable', command, reason: `offset ${offset} of operator.commands: ${error.message}` }
  }
}

const same = (a: EnginePosition, b: EnginePosition): boolean =>
  a.epoch === b.epoch && a.random === b.random && a.seq === b.seq && a.chain.equals(b.chain)

/** Why a Gap can't be meant for a log that stands at `at`; null when it can. */
const gapProblem = ({ after, to }: GapCommand, at: EnginePosition): string | null => {
  if (!same(after, at)) return `it was meant after ${named(after)}, but the log stands at ${named(at)}`
  return to === null ? null : stepProblem(at, to)
}

/** Why a log can't go on at `to` from `at`; null when it can. */
export const stepProblem = (at: EnginePosition, to: EnginePosition): string | null => {
  const sameSession = to.epoch === at.epoch && to.random === at.random
  if (to.epoch < at.epoch || (to.epoch === at.epoch && !sameSession))
    return `${named(to)} is not of a later session than ${named(at)}`
  if (sameSession && to.seq < at.seq) return `${named(to)} lies before ${named(at)}`
  return same(at, to) ? `${named(to)} is where the log stands: nothing is given up` : null
}

const remember = (seen: Set<string>, id: string): void => {
  seen.add(id)
  if (seen.size <= limits.commandIds) return
  const [oldest] = seen
  seen.delete(oldest as string)
}

const readSeen = async ({
  fetcher,
  topic,
  low,
  end,
}: {
  readonly fetcher: Fetcher
  readonly topic: string
  readonly low: bigint
  readonly end: bigint
}): Promise<Set<string>> => {
  const seen = new Set<string>()
  // Each command's transaction takes two offsets, its record and its marker.
  const span = BigInt(limits.commandIds) * 2n
  for (let offset = end - low > span ? end - span : low; offset < end; ) {
    const { records, next } = await fetcher.read({ topic, partition: 0, offset })
    for (const record of records) if (record.offset < end) remember(seen, decoded(record).command.id)
    offset = next
  }
  return seen
}
