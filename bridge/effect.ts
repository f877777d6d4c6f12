import type { EnginePosition } from '../core/events.ts'
import type { ToldPosition } from './dialects/dialect.ts'

export type DropReason =
  /** Taken before. */
  | 'seen'
  /** Late, of a session that was completed. */
  | 'finished-session'
  /** Of an engine that should no longer run. */
  | 'lower-epoch'
  /** Of another engine that has the same epoch. */
  | 'foreign-session'
  /** Of a later session, while this one may have more. */
  | 'not-yet'
  | 'buffer-full'
  /** Live, and in contradiction to the log; the engine is asked whether it means it. */
  | 'unproven'

/** What the shell does with a frame. */
export type Effect =
  /** The next output: into the queue. */
  | {
      readonly kind: 'take'
      readonly at: EnginePosition
      readonly payload: Buffer
      readonly record: 'Output' | 'Reference'
    }
  /** The engine's next session begins; the old one is complete. */
  | { readonly kind: 'session'; readonly at: EnginePosition }
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly at: ToldPosition }
  | Halt

/** The contract is broken: nothing more may be taken, unless an operator accepts the loss. */
export type Halt = {
  readonly kind: 'halt'
  readonly code:
    | 'broken-chain'
    | 'trimmed'
    | 'engine-lost-outputs'
    | 'session-order'
    | 'gap-without-replay'
    | 'oversized-output'
    | 'undecodable-output'
  readonly message: string
  /** Where the engine can go on, if what is missing before it is given up. */
  readonly resumeAt: EnginePosition | null
}

export const named = ({ epoch, random, seq }: ToldPosition): string => `session ${epoch}/${random} seq ${seq}`

/** The command by which an operator accepts the loss of what follows a position. */
export const acceptLoss = ({ epoch, random, seq }: EnginePosition): string =>
  `settle gap --after ${epoch}/${random}/${seq}`

export const halt = (code: Halt['code'], message: string, resumeAt: EnginePosition | null = null): Halt => ({
  kind: 'halt',
  code,
  message,
  resumeAt,
})
