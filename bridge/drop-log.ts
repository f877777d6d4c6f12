import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { ToldPosition } from './dialects/dialect.ts'
import type { DropReason } from './effect.ts'
import { limits } from './limits.ts'
import type { BridgeMeters } from './meters.ts'

/** Why the shell drops what the sequencer was not shown, or would not take. */
export type Dropped = DropReason | 'malformed' | 'queue-full'

/** What is nobody's fault is told to whoever debugs; the rest is an alarm. */
const levels: Readonly<Record<Dropped, 'debug' | 'warn' | 'error'>> = {
  seen: 'debug',
  'finished-session': 'debug',
  'not-yet': 'debug',
  'buffer-full': 'warn',
  'queue-full': 'warn',
  'lower-epoch': 'error',
  'foreign-session': 'error',
  unproven: 'error',
  malformed: 'error',
}

/** Counts every dropped frame; logs each kind with session and seq, the first at once and a flood of them now and then. */
export class DropLog {
  readonly #clock: Clock
  readonly #log: Log
  readonly #meters: BridgeMeters
  readonly #kinds = new Map<Dropped, { saidMs: number; since: number }>()

  constructor(parts: { readonly clock: Clock; readonly log: Log; readonly meters: BridgeMeters }) {
    this.#clock = parts.clock
    this.#log = parts.log
    this.#meters = parts.meters
  }

  drop(reason: Dropped, at: ToldPosition | null, why: string): void {
    this.#meters.dropped.inc({ reason })
    const nowMs = this.#clock.monotonicMs()
    const kind = this.#kinds.get(reason)
    if (kind && nowMs - kind.saidMs < limits.dropLogMs) {
      kind.since++
      return
    }
    this.#kinds.set(reason, { saidMs: nowMs, since: 0 })
    const place = at ? { epoch: at.epoch, random: at.random, seq: at.seq } : {}
    this.#log[levels[reason]]({ reason, ...place, unsaid: kind?.since ?? 0 }, why)
  }
}
