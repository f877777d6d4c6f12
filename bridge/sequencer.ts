import type { EnginePosition, Session } from '../core/events.ts'
import { nextChain, zeroChain } from '../schemas/chain.ts'
import type { DialectFrame, ToldPosition } from './dialects/dialect.ts'
import { acceptLoss, type Effect, type Halt, halt, named } from './effect.ts'
import type { Inspect } from './inspect-output.ts'
import { ReorderBuffer } from './reorder-buffer.ts'
import { type ReplayLimits, ReplayPacer } from './replay-pacer.ts'

type Out = Extract<DialectFrame, { kind: 'OUT' }>

export type SequencerLimits = ReplayLimits & {
  /** Outputs ahead of their turn that are kept. */
  readonly bufferCount: number
  readonly bufferBytes: number
}

export type ReplayRequest = { readonly session: Session | null; readonly from: bigint; readonly to: bigint }

export type Source = 'live' | 'replay'
/** Whether a contradiction stops the stream at once, or after the engine has said it again in an answer. */
type Word = 'final' | 'to be confirmed'

const noSession = 0n
const sameSession = (a: Session, b: Session): boolean => a.epoch === b.epoch && a.random === b.random

/**
 * Puts the engine's frames, live and replayed, lost, doubled and out of order, into the one order there is:
 * each output once, in sequence, its chain proven. Pure: no clock of its own, no I/O.
 */
export class Sequencer {
  readonly #replays: boolean
  readonly #inspect: Inspect
  #at: EnginePosition
  /** The session before this one, whose late frames are no news. */
  #finished: Session | null = null
  readonly #buffer: ReorderBuffer
  readonly #bufferCount: number
  /** The highest seq of this session that the engine is known to have sent. */
  #highest: bigint
  /** The engine has said once that this session has nothing beyond `at`, or live frames have led up to it. */
  #confirmed = false
  /** A later session is known. */
  #later = false
  /** The engine has ended this session at `at`. */
  #over = false
  readonly #pacer: ReplayPacer

  /** `at`: where the log stands; epoch 0 when it has no session yet. `replays`: whether the engine can. */
  constructor(
    at: EnginePosition,
    limits: SequencerLimits,
    { replays, inspect }: { readonly replays: boolean; readonly inspect: Inspect },
  ) {
    this.#at = at
    this.#highest = at.seq
    this.#buffer = new ReorderBuffer({ maxCount: limits.bufferCount, maxBytes: limits.bufferBytes })
    this.#bufferCount = limits.bufferCount
    this.#replays = replays
    this.#inspect = inspect
    this.#pacer = new ReplayPacer(limits)
  }

  get at(): EnginePosition {
    return this.#at
  }

  get buffered(): number {
    return this.#buffer.count
  }

  /** True when outputs are known, or not known not, to be missing. */
  get behind(): boolean {
    return !this.#confirmed || this.#later || this.#highest > this.#at.seq || this.#buffer.count > 0
  }

  /** Requests in a row that brought nothing. */
  get fruitless(): number {
    return this.#pacer.fruitless
  }

  /**
   * What an answer says is the engine's word. A live message may be a stranger's, where the socket is bound: what can't
   * be true of it is dropped and asked for, and only the answer stops the stream.
   */
  take(frame: DialectFrame, nowMs: number, source: Source): readonly Effect[] {
    const word = source === 'live' && this.#replays ? 'to be confirmed' : 'final'
    switch (frame.kind) {
      case 'OUT':
        return this.#out(frame, nowMs, word)
      case 'HBT':
        return this.#told(frame.at, 'goes on', word)
      case 'EOS':
        return this.#told(frame.at, 'is over', word)
      case 'END':
        return this.#end(frame)
      case 'TRIMMED':
        return this.#trimmed(frame.at)
    }
  }

  /** The replay to ask for now, or null. */
  request(nowMs: number): ReplayRequest | null {
    if (!this.#replays || !this.behind) return null
    const from = this.#at.seq + 1n
    const to = this.#pacer.next(from, nowMs)
    if (to === null) return null
    const session = this.#at.epoch === noSession ? null : { epoch: this.#at.epoch, random: this.#at.random }
    return { session, from, to }
  }

  /** What is missing may have been lost live: its replay, or a frame seen late, is asked for in the usual way. */
  lost(): void {
    this.#confirmed = false
  }

  /** What is under way was not read for a while: it is not late because of that. */
  heldUp(nowMs: number): void {
    this.#pacer.heldUp(nowMs)
  }

  /** An operator has accepted the loss of everything between `at` and `to`. */
  accept(to: EnginePosition): void {
    if (!sameSession(to, this.#at)) {
      this.#enter(to)
    } else {
      this.#buffer.dropTo(to.seq)
    }
    this.#at = to
    this.#confirmed = false
    this.#over = false
    this.#pacer.reset()
  }

  #out(frame: Out, nowMs: number, word: Word): readonly Effect[] {
    const { at } = frame
    const place = this.#placeOf(at)
    switch (place) {
      case 'lower-epoch':
      case 'finished-session':
      case 'foreign-session':
        return [{ kind: 'drop', reason: place, at }]
      case 'later':
        return this.#firstOfSession(frame, nowMs, word)
      case 'this':
        if (at.seq <= this.#at.seq) return [{ kind: 'drop', reason: 'seen', at }]
        return at.seq > this.#at.seq + 1n ? this.#keep(frame) : this.#next(frame, nowMs, word)
    }
  }

  #placeOf(at: Session): 'this' | 'later' | 'lower-epoch' | 'finished-session' | 'foreign-session' {
    const now = this.#at
    if (now.epoch === noSession) return 'later'
    if (sameSession(at, now)) return 'this'
    if (at.epoch === now.epoch) return 'foreign-session'
    if (at.epoch > now.epoch) return 'later'
    return this.#finished && sameSession(at, this.#finished) ? 'finished-session' : 'lower-epoch'
  }

  /** A new session's first output that extends our chain proves that we have all of the session before. */
  #firstOfSession(frame: Out, nowMs: number, word: Word): readonly Effect[] {
    const { at, payload } = frame
    const follows =
      at.seq === 1n && (at.chain ? nextChain(this.#at.chain, payload).equals(at.chain) : this.#mayBeginUnchained())
    if (follows) return [...this.#begin(at), ...this.#next(frame, nowMs, word)]
    this.#later = true
    if (!this.#replays) return [this.#gap(at, null)]
    return [{ kind: 'drop', reason: 'not-yet', at }]
  }

  /** Without a chain the end of a session must have been told; of the very first one only a replay tells which it is. */
  #mayBeginUnchained(): boolean {
    return this.#over || (this.#at.epoch === noSession && !this.#replays)
  }

  #begin(session: Session): readonly Effect[] {
    this.#enter(session)
    this.#at = { epoch: session.epoch, random: session.random, seq: 0n, chain: this.#at.chain }
    return [{ kind: 'session', at: this.#at }]
  }

  #enter(session: Session): void {
    this.#finished = this.#at.epoch === noSession || sameSession(session, this.#at) ? null : this.#at
    this.#buffer.clear()
    this.#highest = 0n
    this.#later = false
    this.#over = false
    this.#confirmed = true
  }

  #next(first: Out, nowMs: number, word: Word): readonly Effect[] {
    const effects: Effect[] = []
    for (let frame: Out | undefined = first; frame; frame = this.#buffer.take(this.#at.seq + 1n)) {
      const { at, payload } = frame
      const chain = nextChain(this.#at.chain, payload)
      if (at.chain && !chain.equals(at.chain)) {
        const why = `${named(at)}: its chain does not follow from ${named(this.#at)}; ${disagree}`
        // What was kept came live.
        effects.push(this.#broken(at, why, frame === first || !this.#replays ? word : 'to be confirmed'))
        return effects
      }
      const next = { epoch: at.epoch, random: at.random, seq: at.seq, chain }
      const found = this.#inspect(payload)
      if (found.kind === 'refused') {
        const message = `${named(at)}: ${found.reason}; to go on without it, accept its loss: ${acceptLoss(this.#at)}`
        effects.push(halt(found.code, message, next))
        return effects
      }
      this.#at = next
      effects.push({ kind: 'take', at: next, payload, record: found.kind })
    }
    if (this.#at.seq > this.#highest) this.#highest = this.#at.seq
    // Nothing before it is missing, and what the engine has beyond it is told by its heartbeats.
    this.#confirmed = true
    this.#pacer.progress(nowMs)
    return effects
  }

  #broken(at: ToldPosition, why: string, word: Word): Effect {
    if (word === 'final') return halt('broken-chain', why)
    this.lost()
    return { kind: 'drop', reason: 'unproven', at }
  }

  #keep(frame: Out): readonly Effect[] {
    const { at } = frame
    if (at.seq > this.#highest) this.#highest = at.seq
    if (!this.#replays) return [this.#gap(at, null)]
    // Further ahead than there is room for everything before it: a replay brings it in its turn.
    const isFar = at.seq > this.#at.seq + BigInt(this.#bufferCount)
    const kept = isFar ? 'buffer-full' : this.#buffer.add(frame)
    return kept === 'kept' ? [] : [{ kind: 'drop', reason: kept, at }]
  }

  /** The engine tells how far it has come: the loss of the last message is seen too. */
  #told(at: ToldPosition, session: 'goes on' | 'is over', word: Word): readonly Effect[] {
    const place = this.#placeOf(at)
    if (place === 'later') return this.#toldLater(at)
    if (place !== 'this') return [{ kind: 'drop', reason: place, at }]
    if (at.seq > this.#highest) this.#highest = at.seq
    if (at.seq > this.#at.seq) return this.#replays ? [] : [this.#gap(at, this.#resumed(at))]
    if (at.seq === this.#at.seq && session === 'is over') this.#over = true
    return this.#sameChain(at, word)
  }

  /** A session that begins with the chain at which ours stands leaves nothing out. */
  #toldLater(at: ToldPosition): readonly Effect[] {
    const follows = at.seq === 0n && (at.chain ? at.chain.equals(this.#at.chain) : this.#mayBeginUnchained())
    if (follows) return this.#begin(at)
    this.#later = true
    return this.#replays ? [] : [this.#gap(at, this.#resumed(at))]
  }

  /** Two histories of one output: the engine lost its journal, or this is another engine. */
  #sameChain(at: ToldPosition, word: Word): readonly Effect[] {
    if (at.seq !== this.#at.seq || !at.chain || at.chain.equals(this.#at.chain)) return []
    return [this.#broken(at, `${named(at)}: the engine's chain differs from the log's; ${disagree}`, word)]
  }

  #end({ at, over, next }: Extract<DialectFrame, { kind: 'END' }>): readonly Effect[] {
    const now = this.#at
    // The very first request names no session; its answer names the oldest.
    if (now.epoch === noSession) return this.#endOfOldest(at)
    if (!sameSession(at, now)) return []
    if (at.seq <= now.seq) this.#pacer.reset()
    else this.#pacer.answered(now.seq)
    // The engine's word: whatever a live frame claimed that it had sent.
    this.#highest = at.seq > now.seq ? at.seq : now.seq
    if (at.seq > now.seq) return []
    // Where a session that goes on had come when the answer was written; live frames may have overtaken it.
    this.#confirmed = true
    this.#later = false
    if (at.seq < now.seq && !over) return []
    if (at.seq < now.seq)
      return [
        halt(
          'engine-lost-outputs',
          `the engine's journal of this session ends at seq ${at.seq}, but the log holds ${named(now)}: the engine lost outputs that it had sent; restore its journal`,
        ),
      ]
    const broken = this.#sameChain(at, 'final')
    if (broken.length > 0) return broken
    this.#over = over
    if (!over || !next) return []
    if (next.epoch <= now.epoch)
      return [
        halt(
          'session-order',
          `the engine names session ${next.epoch}/${next.random} as the one after ${named(now)}; epochs only rise`,
        ),
      ]
    const effects = this.#begin(next)
    this.#pacer.reset()
    // How far the next one has come is not known yet.
    this.#confirmed = false
    return effects
  }

  #endOfOldest(at: ToldPosition): readonly Effect[] {
    // A chain is proven by the first output; where there is none, the answer alone tells which session is the first.
    if (at.seq > 0n && at.chain) return []
    if (at.chain && !at.chain.equals(zeroChain))
      return [halt('broken-chain', `${named(at)}: the engine has a history before it, but the log is empty`)]
    const effects = this.#begin(at)
    this.#pacer.reset()
    this.#confirmed = at.seq === 0n
    return effects
  }

  #trimmed(at: ToldPosition): readonly Effect[] {
    const now = this.#at
    const place = this.#placeOf(at)
    if (place === 'this' && at.seq <= now.seq) return []
    if (place !== 'this' && place !== 'later') return [{ kind: 'drop', reason: place, at }]
    const from = now.epoch === noSession ? 'the beginning' : `what follows ${named(now)}`
    return [
      halt(
        'trimmed',
        `the engine no longer keeps ${from}, up to ${named(at)}; restore its journal, or accept the loss: ${acceptLoss(now)}`,
        this.#resumed(at),
      ),
    ]
  }

  #gap(at: ToldPosition, resumeAt: EnginePosition | null): Halt {
    const now = this.#at
    return halt(
      'gap-without-replay',
      `${named(at)} came after ${named(now)}; what lies between is lost, and this engine can't replay; to go on, accept the loss: ${acceptLoss(now)}`,
      resumeAt,
    )
  }

  /** Without a chain of the engine's ours goes on from where it stands. */
  #resumed({ epoch, random, seq, chain }: ToldPosition): EnginePosition {
    return { epoch, random, seq, chain: chain ?? this.#at.chain }
  }
}

const disagree = "the engine's journal and the log disagree"
