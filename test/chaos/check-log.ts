import type { EnginePosition, LogRecord } from '../../core/events.ts'
import type { JournalOutput } from './engine-journal.ts'

/** A record of `engine.outputs` as it was read back; `payload` is the engine's, of an output. */
export type ReadRecord = {
  readonly offset: bigint
  readonly kind: LogRecord['kind']
  readonly pos: bigint
  readonly at: EnginePosition
  readonly payload: Buffer | null
}

export type LogCounts = {
  readonly records: number
  readonly outputs: number
  readonly sessions: number
  readonly ticks: number
}

/** More than this many are counted, not told. */
const toldViolations = 20

/**
 * Holds the log against the engine's journal, record by record: the same outputs in the same order, byte for byte,
 * nothing missing, doubled or moved; pos strictly increases; a session is told before its first output; every record
 * carries the last position.
 */
export class LogCheck {
  readonly #journal: AsyncIterator<JournalOutput>
  readonly violations: string[] = []
  #counts = { records: 0, outputs: 0, sessions: 0, ticks: 0 }
  #violationCount = 0
  #next: JournalOutput | null = null
  #pos = -1n
  #at: EnginePosition | null = null
  #session: EnginePosition | null = null

  private constructor(journal: AsyncIterator<JournalOutput>) {
    this.#journal = journal
  }

  static async open(journal: AsyncIterable<JournalOutput>): Promise<LogCheck> {
    const check = new LogCheck(journal[Symbol.asyncIterator]())
    await check.#advance()
    return check
  }

  get counts(): LogCounts {
    return this.#counts
  }

  get violationCount(): number {
    return this.#violationCount
  }

  /** The last position in the log so far; null before the first record. */
  get at(): EnginePosition | null {
    return this.#at
  }

  async take(record: ReadRecord): Promise<void> {
    const { kind, pos, at } = record
    this.#counts.records++
    if (pos <= this.#pos) this.#violate(record, `pos does not rise: ${pos} after ${this.#pos}`)
    this.#pos = pos
    switch (kind) {
      case 'Output':
      case 'Reference':
        await this.#takeOutput(record)
        break
      case 'Session':
        this.#counts.sessions++
        this.#takeSession(record)
        break
      default:
        if (kind === 'Tick') this.#counts.ticks++
        else this.#violate(record, 'nobody asked for this record')
        if (!this.#at || !isSame(at, this.#at))
          this.#violate(record, `it carries another position than the record before: ${named(this.#at)}`)
    }
    this.#at = at
  }

  /** After the last record: nothing of the journal may be left. */
  async end(): Promise<void> {
    if (!this.#next) return
    const first = this.#next
    let [last, count] = [first, 0]
    for (; this.#next; await this.#advance()) [last, count] = [this.#next, count + 1]
    this.#violate(null, `missing at the end of the log: ${count} outputs, ${named(first.at)} to ${named(last.at)}`)
  }

  async #takeOutput(record: ReadRecord): Promise<void> {
    const { at, payload } = record
    this.#counts.outputs++
    if (!this.#session || !sameSession(this.#session, at))
      this.#violate(record, `no Session record of it stands before it; the last is ${named(this.#session)}`)
    const next = this.#next
    if (!next || compare(at, next.at) < 0)
      return this.#violate(
        record,
        `doubled or out of order: the journal's next is ${next ? named(next.at) : 'none, it has ended'}`,
      )
    if (compare(at, next.at) > 0) await this.#skipTo(record, next)
    const expected = this.#next
    if (!expected || compare(at, expected.at) !== 0)
      return this.#violate(record, `unknown to the journal, whose next is ${named(expected?.at ?? null)}`)
    if (!payload?.equals(expected.payload)) this.#violate(record, 'altered: its bytes are not those of the journal')
    if (!isSame(at, expected.at))
      this.#violate(record, `altered: the journal says ${named(expected.at)} with its chain`)
    await this.#advance()
  }

  async #skipTo(record: ReadRecord, first: JournalOutput): Promise<void> {
    let [last, count] = [first, 0]
    for (; this.#next && compare(this.#next.at, record.at) < 0; await this.#advance())
      [last, count] = [this.#next, count + 1]
    this.#violate(
      record,
      `missing before it, or out of order: ${count} outputs, ${named(first.at)} to ${named(last.at)}`,
    )
  }

  #takeSession(record: ReadRecord): void {
    const { at } = record
    const before = this.#at
    if (at.seq !== 0n) this.#violate(record, 'a Session record stands before the first output, so its seq is 0')
    if (before && at.epoch <= before.epoch)
      this.#violate(record, `its epoch does not rise: the record before is of ${named(before)}`)
    if (before && !at.chain.equals(before.chain)) this.#violate(record, 'it does not go on from the last chain')
    this.#session = at
  }

  async #advance(): Promise<void> {
    const step = await this.#journal.next()
    this.#next = step.done ? null : step.value
  }

  #violate(record: ReadRecord | null, what: string): void {
    this.#violationCount++
    if (this.violations.length < toldViolations)
      this.violations.push(record ? `offset ${record.offset}, ${record.kind} ${named(record.at)}: ${what}` : what)
  }
}

/** Epochs only rise, so they order sessions. */
const compare = (a: EnginePosition, b: EnginePosition): number => {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch ? -1 : 1
  if (a.seq === b.seq) return 0
  return a.seq < b.seq ? -1 : 1
}

const sameSession = (a: EnginePosition, b: EnginePosition): boolean => a.epoch === b.epoch && a.random === b.random

const isSame = (a: EnginePosition, b: EnginePosition): boolean =>
  sameSession(a, b) && a.seq === b.seq && a.chain.equals(b.chain)

export const named = (at: Omit<EnginePosition, 'chain'> | null): string =>
  at ? `session ${at.epoch}/${at.random} seq ${at.seq}` : 'nothing'
