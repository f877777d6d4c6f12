import type { EnginePosition } from '../../../core/events.ts'
import type { BridgeFrame, EngineFrame } from '../../../schemas/frames.ts'
import { type Sessions, type SessionRow, startOf } from '../journal/sessions.ts'

export type ReplayRequest = Extract<BridgeFrame, { kind: 'REPLAY' }>

/** What the journal keeps, and how far it was sent. */
export type Kept = {
  readonly sessions: Sessions
  /** Index of the oldest output kept. */
  readonly first: bigint
  readonly chainBeforeFirst: Buffer
  /** The last output sent, and the chain after it. */
  readonly sent: bigint
  readonly sentChain: Buffer
}

export type ReplayAnswer =
  | { readonly kind: 'trimmed'; readonly at: EnginePosition }
  /** Outputs by index, both included, none when `to` is below `from`; then END of that session. */
  | { readonly kind: 'range'; readonly session: SessionRow; readonly from: bigint; readonly to: bigint }

/**
 * Which outputs answer a request. A session that the engine does not know is answered by TRIMMED too: what was asked
 * for is not here, and the bridge must stop rather than wait.
 */
export const answerTo = (request: ReplayRequest, kept: Kept): ReplayAnswer => {
  const session = request.session ? kept.sessions.find(request.session) : kept.sessions.of(kept.first)
  if (!session) return { kind: 'trimmed', at: beforeFirst(kept) }
  const last = lastOf(session, kept)
  const wanted = session.first + (request.from > 0n ? request.from : 1n) - 1n
  const asked = request.to > 0n ? session.first + request.to - 1n : last
  const to = asked < last ? asked : last
  if (request.session === null && request.from === 0n) return { kind: 'range', session, from: kept.first, to }
  // Who asks for the beginning of everything must hear that the beginning is gone, not get its middle.
  const isBeginningGone = request.session === null && request.from <= 1n && kept.first > 1n
  if (isBeginningGone || (wanted < kept.first && wanted <= last)) return { kind: 'trimmed', at: beforeFirst(kept) }
  return { kind: 'range', session, from: wanted, to }
}

/** END of a session as things stand now. */
export const endOf = (session: SessionRow, kept: Kept): EngineFrame => {
  const next = kept.sessions.after(session)
  const last = lastOf(session, kept)
  const chain = next ? Buffer.from(next.chainBefore, 'hex') : kept.sentChain
  const at = last < session.first ? startOf(session) : positionIn(session, last, chain)
  return {
    kind: 'END',
    at,
    over: next !== undefined,
    next: next ? { epoch: next.epoch, random: next.random } : null,
  }
}

const lastOf = (session: SessionRow, { sessions, sent }: Kept): bigint => {
  const next = sessions.after(session)
  return next ? next.first - 1n : sent
}

/** The output before the oldest one kept. */
export const beforeFirst = ({ sessions, first, chainBeforeFirst }: Kept): EnginePosition =>
  positionIn(sessions.of(first), first - 1n, chainBeforeFirst)

const positionIn = ({ epoch, random, first }: SessionRow, index: bigint, chain: Buffer): EnginePosition => ({
  epoch,
  random,
  seq: index - first + 1n,
  chain,
})
