import type { EnginePosition, Session } from '../core/events.ts'
import { nextChain } from '../schemas/chain.ts'
import type { EngineFrame } from '../schemas/frames.ts'

type Out = Extract<EngineFrame, { kind: 'OUT' }>

type DropReason = 'seen' | 'lower-epoch' | 'foreign-session' | 'not-yet' | 'buffer-full'

/** What the shell does with a frame. */
export type Effect =
  /** The next output: into the queue. */
  | { readonly kind: 'take'; readonly at: EnginePosition; readonly payload: Buffer }
  /** The engine's next session begins; the old one is complete. */
  | { readonly kind: 'session'; readonly at: EnginePosition }
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly at: EnginePosition }
  /** The contract is broken: nothing more may be taken. */
  | { readonly kind: 'stop'; readonly code: StopCode; readonly message: string }

type StopCode = 'broken-chain' | 'trimmed' | 'engine-lost-outputs'

export type SequencerLimits = {
  /** Outputs ahead of their turn that are kept. */
  readonly bufferCount: number
  readonly bufferBytes: number
  /** Outputs asked for by one replay request. */
  readonly replayCount: bigint
  /** A request that brings nothing for this long is made again, later each time up to the maximum. */
  readonly replayTimeoutMs: number
  readonly replayTimeoutMaxMs: number
}

export type ReplayRequest = { readonly session: Session | null; readonly from: bigint; readonly to: bigint }

const noSession = 0n
const sameSession = (a: Session, b: Session): boolean => a.epoch === b.epoch && a.random === b.random
const named = ({ epoch, random, seq }: EnginePosition): string => `session ${epoch}/${random} seq ${seq}`

/**
 * Puts the engine's frames, live and replayed, lost, doubled and out of order, into the one order there is:
 * each output once, in sequence, its chain proven. Pure: no clock of its own, no I/O.
 */
export class Sequencer {
  readonly #limits: SequencerLimits
  #at: EnginePosition
  readonly #buffer = new Map<bigint, Out>()
  #bufferBytes = 0
  #behind = true
  #replay: { readonly askedMs: number; readonly waitMs: number } | null = null
  #waitMs: number
  #progressed = false

  /** `at`: where the log stands; epoch 0 when it has no session yet. */
  constructor(at: EnginePosition, limits: SequencerLimits) {
    this.#at = at
    this.#limits = limits
    this.#waitMs = limits.replayTimeoutMs
  }

  get at(): EnginePosition {
    return this.#at
  }

  get buffered(): number {
    return this.#buffer.size
  }

  /** True when outputs are known, or not known not, to be missing. */
  get behind(): boolean {
    return this.#behind
  }

  take(frame: EngineFrame, nowMs: number): readonly Effect[] {
    switch (frame.kind) {
      case 'OUT':
        return this.#out(frame, nowMs)
      case 'HBT':
      case 'EOS':
        return this.#heartbeat(frame.at)
      case 'END':
        return this.#end(frame)
      case 'TRIMMED':
        return this.#trimmed(frame.at)
    }
  }

  /** The replay to ask for now, or null. */
  request(nowMs: number): ReplayRequest | null {
    if (!this.#behind) return null
    if (this.#replay && nowMs - this.#replay.askedMs < this.#replay.waitMs) return null
    if (this.#replay) this.#waitMs = Math.min(this.#waitMs * 2, this.#limits.replayTimeoutMaxMs)
    this.#replay = { askedMs: nowMs, waitMs: this.#waitMs }
    this.#progressed = false
    const from = this.#at.seq + 1n
    return {
      session: this.#at.epoch === noSession ? null : { epoch: this.#at.epoch, random: this.#at.random },
      from,
      to: from + this.#limits.replayCount - 1n,
    }
  }

  #out(frame: Out, nowMs: number): readonly Effect[] {
    const { at } = frame
    const now = this.#at
    if (now.epoch !== noSession && at.epoch < now.epoch) return [{ kind: 'drop', reason: 'lower-epoch', at }]
    if (at.epoch === now.epoch && at.random !== now.random) return [{ kind: 'drop', reason: 'foreign-session', at }]
    if (!sameSession(at, now)) return this.#firstOfSession(frame, nowMs)
    if (at.seq <= now.seq) return [{ kind: 'drop', reason: 'seen', at }]
    if (at.seq > now.seq + 1n) return this.#keep(frame)
    return this.#next(frame, nowMs)
  }

  /** A new session's first output that extends our chain proves that we have all of the session before. */
  #firstOfSession(frame: Out, nowMs: number): readonly Effect[] {
    const { at, payload } = frame
    if (at.seq !== 1n || !nextChain(this.#at.chain, payload).equals(at.chain)) {
      this.#behind = true
      return [{ kind: 'drop', reason: 'not-yet', at }]
    }
    return [...this.#begin(at), ...this.#next(frame, nowMs)]
  }

  #begin({ epoch, random }: Session): readonly Effect[] {
    this.#at = { epoch, random, seq: 0n, chain: this.#at.chain }
    this.#buffer.clear()
    this.#bufferBytes = 0
    return [{ kind: 'session', at: this.#at }]
  }

  #next(first: Out, nowMs: number): readonly Effect[] {
    const effects: Effect[] = []
    for (let frame: Out | undefined = first; frame; frame = this.#buffer.get(this.#at.seq + 1n)) {
      const { at, payload } = frame
      if (this.#buffer.delete(at.seq)) this.#bufferBytes -= payload.length
      if (!nextChain(this.#at.chain, payload).equals(at.chain))
        return [
          ...effects,
          {
            kind: 'stop',
            code: 'broken-chain',
            message: `${named(at)}: its chain does not follow from ${named(this.#at)}; the engine's journal and the log disagree`,
          },
        ]
      this.#at = at
      effects.push({ kind: 'take', at, payload })
    }
    this.#waitMs = this.#limits.replayTimeoutMs
    this.#progressed = true
    // What is under way made progress: it is not late yet.
    if (this.#replay) this.#replay = { askedMs: nowMs, waitMs: this.#waitMs }
    return effects
  }

  #keep(frame: Out): readonly Effect[] {
    this.#behind = true
    const { at, payload } = frame
    if (this.#buffer.has(at.seq)) return [{ kind: 'drop', reason: 'seen', at }]
    const { bufferCount, bufferBytes } = this.#limits
    if (this.#buffer.size >= bufferCount || this.#bufferBytes + payload.length > bufferBytes)
      return [{ kind: 'drop', reason: 'buffer-full', at }]
    this.#buffer.set(at.seq, frame)
    this.#bufferBytes += payload.length
    return []
  }

  /** The engine tells how far it has come: the loss of the last message is seen too. */
  #heartbeat(at: EnginePosition): readonly Effect[] {
    const now = this.#at
    if (now.epoch !== noSession && at.epoch < now.epoch) return [{ kind: 'drop', reason: 'lower-epoch', at }]
    if (at.epoch === now.epoch && at.random !== now.random) return [{ kind: 'drop', reason: 'foreign-session', at }]
    if (!sameSession(at, now) || at.seq > now.seq) {
      this.#behind = true
      return []
    }
    return this.#sameChain(at)
  }

  /** Two histories of one output: the engine lost its journal, or this is another engine. */
  #sameChain(at: EnginePosition): readonly Effect[] {
    if (at.seq !== this.#at.seq || at.chain.equals(this.#at.chain)) return []
    return [
      {
        kind: 'stop',
        code: 'broken-chain',
        message: `${named(at)}: the engine's chain differs from the log's; the engine's journal and the log disagree`,
      },
    ]
  }

  #end({ at, over, next }: Extract<EngineFrame, { kind: 'END' }>): readonly Effect[] {
    const now = this.#at
    // The very first request names no session; its answer names the oldest.
    if (now.epoch === noSession) {
      this.#replay = null
      this.#waitMs = this.#limits.replayTimeoutMs
      return at.seq === 0n ? this.#begin(at) : []
    }
    if (!sameSession(at, now)) return []
    // An answer that brought nothing waits out its time, or asking and answering would chase each other.
    if (this.#progressed || at.seq === now.seq) this.#replay = null
    // Where a session that goes on had come when the answer was written; live frames have overtaken it.
    if (at.seq < now.seq && !over) return []
    if (at.seq < now.seq)
      return [
        {
          kind: 'stop',
          code: 'engine-lost-outputs',
          message: `the engine's journal of this session ends at seq ${at.seq}, but the log holds ${named(now)}: the engine lost outputs that it had sent`,
        },
      ]
    if (at.seq > now.seq) {
      this.#behind = true
      return []
    }
    const broken = this.#sameChain(at)
    if (broken.length > 0) return broken
    this.#behind = this.#buffer.size > 0 || (over && next !== null)
    return over && next ? this.#begin(next) : []
  }

  #trimmed(at: EnginePosition): readonly Effect[] {
    const now = this.#at
    const first = now.epoch === noSession
    if (!first && (!sameSession(at, now) || at.seq <= now.seq)) return []
    return [
      {
        kind: 'stop',
        code: 'trimmed',
        message: `the engine no longer keeps seq ${first ? 1n : now.seq + 1n} to ${at.seq} of session ${at.epoch}/${at.random}: they are lost unless its journal can be restored`,
      },
    ]
  }
}
