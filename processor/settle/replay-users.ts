import type { UserId, Pos } from '../../core/ids.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import type { Waiting } from './batch-fold.ts'
import { HistoryRows } from './history-rows.ts'
import { settleLimits } from './limits.ts'
import type { LogReread, RereadRange } from './log-reread.ts'
import { type CorrectionAt, type ReplayOutcome, UserReplay } from './user-replay.ts'

/**
 * Works out anew, from the log, every user that waits: two passes for all of them together, the first for their
 * Corrections, which may stand after the outputs that need them. History met on the way is written again.
 */
export const replayUsers = async ({
  waiting,
  reread,
  writeHistory,
}: {
  readonly waiting: ReadonlyMap<UserId, Waiting>
  readonly reread: LogReread
  readonly writeHistory: (groups: readonly (readonly CqlStatement[])[]) => Promise<void>
}): Promise<ReadonlyMap<UserId, ReplayOutcome>> => {
  const outcomes = new Map<UserId, ReplayOutcome>()
  const pass = async (users: ReadonlyMap<UserId, Waiting>, firstOf: (waiting: Waiting) => Pos): Promise<void> => {
    const ranges = new Map<UserId, RereadRange>(
      [...users].map(([user, each]) => [user, { afterPos: firstOf(each), beforeN: each.cause.n }]),
    )
    for (const [user, outcome] of await replayRanges({ users, ranges, reread, writeHistory }))
      outcomes.set(user, outcome)
  }
  await pass(waiting, ({ wallet }) => lowestPos([...wallet.cells.values()].map(each => each.pos)))
  // A cell that is not there has no pos: what was before it may be anywhere in the log.
  const unknown = new Map(
    [...waiting].filter(([user, { wallet }]) => {
      const outcome = outcomes.get(user)
      return outcome?.kind === 'refused' && outcome.refusal.cell.version === 0n && wallet.cells.size > 0
    }),
  )
  if (unknown.size > 0) await pass(unknown, () => 0n as Pos)
  return outcomes
}

const replayRanges = async ({
  users,
  ranges,
  reread,
  writeHistory,
}: {
  readonly users: ReadonlyMap<UserId, Waiting>
  readonly ranges: ReadonlyMap<UserId, RereadRange>
  readonly reread: LogReread
  readonly writeHistory: (groups: readonly (readonly CqlStatement[])[]) => Promise<void>
}): Promise<ReadonlyMap<UserId, ReplayOutcome>> => {
  const corrections = await correctionsOf(users, ranges, reread)
  const replays = new Map(
    [...users].map(([user, { cause, wallet }]) => [
      user,
      new UserReplay({ cause, cells: wallet.cells, corrections: corrections.get(user) ?? [] }),
    ]),
  )
  let history = new HistoryRows()
  let rows = 0
  for await (const record of reread.records(ranges)) {
    if (record.kind !== 'UserOutput' && record.kind !== 'UserCorrection') continue
    history.take(record, null)
    replays.get(record.kind === 'UserOutput' ? record.user : record.correction.user)?.take(record)
    if (++rows % settleLimits.rereadRows > 0) continue
    await writeHistory(history.groups())
    history = new HistoryRows()
  }
  await writeHistory(history.groups())
  return new Map([...replays].map(([user, replay]) => [user, replay.end()]))
}

const correctionsOf = async (
  users: ReadonlyMap<UserId, Waiting>,
  ranges: ReadonlyMap<UserId, RereadRange>,
  reread: LogReread,
): Promise<ReadonlyMap<UserId, readonly CorrectionAt[]>> => {
  const found = new Map<UserId, CorrectionAt[]>([...users.keys()].map(user => [user, []]))
  for await (const record of reread.records(ranges))
    if (record.kind === 'UserCorrection')
      found.get(record.correction.user)?.push({ pos: record.pos, correction: record.correction })
  for (const [user, { cause }] of users)
    if (cause.kind === 'UserCorrection') found.get(user)?.push({ pos: cause.pos, correction: cause.correction })
  return found
}

const lowestPos = (all: readonly Pos[]): Pos =>
  all.reduce((least, pos) => (pos < least ? pos : least), all[0] ?? (0n as Pos))
