import type { UserId, Pos } from '../../core/ids.ts'
import type { BucketRules } from '../../schemas/cql/placement.ts'
import type { RowGroups, Waiting } from './batch-fold.ts'
import type { Bucket } from './history-buckets.ts'
import { HistoryRows, type Pack } from './history-rows.ts'
import { settleLimits } from './limits.ts'
import type { LogReread, RereadRange } from './log-reread.ts'
import { type CorrectionAt, type ReplayOutcome, UserReplay } from './user-replay.ts'

type Rereading = {
  readonly reread: LogReread
  readonly buckets: BucketRules
  readonly pack: Pack
  readonly readBucket: (place: { readonly user: UserId; readonly pos: Pos }) => Promise<Bucket | null>
  readonly writeHistory: (groups: RowGroups) => Promise<void>
}

/**
 * Works out anew, from the log, every user that waits: two passes for all of them together, the first for their
 * Corrections, which may stand after the outputs that need them. History met on the way is written again.
 */
export const replayUsers = async ({
  waiting,
  ...rereading
}: Rereading & { readonly waiting: ReadonlyMap<UserId, Waiting> }): Promise<ReadonlyMap<UserId, ReplayOutcome>> => {
  const outcomes = new Map<UserId, ReplayOutcome>()
  const pass = async (users: ReadonlyMap<UserId, Waiting>, firstOf: (waiting: Waiting) => Pos): Promise<void> => {
    const ranges = new Map<UserId, RereadRange>(
      [...users].map(([user, each]) => [user, { afterPos: firstOf(each), beforeN: each.cause.n }]),
    )
    for (const [user, outcome] of await replayRanges({ users, ranges, ...rereading })) outcomes.set(user, outcome)
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
  buckets: rules,
  pack,
  readBucket,
  writeHistory,
}: Rereading & {
  readonly users: ReadonlyMap<UserId, Waiting>
  readonly ranges: ReadonlyMap<UserId, RereadRange>
}): Promise<ReadonlyMap<UserId, ReplayOutcome>> => {
  const corrections = await correctionsOf(users, ranges, reread)
  const replays = new Map(
    [...users].map(([user, { cause, wallet }]) => [
      user,
      new UserReplay({ cause, cells: wallet.cells, corrections: corrections.get(user) ?? [] }),
    ]),
  )
  // Where each user's records stood when they were read first: the wallet's bucket is that of the newest one.
  const buckets = new Map<UserId, Bucket>()
  const history = new HistoryRows(rules, pack)
  let rows = 0
  for await (const record of reread.records(ranges)) {
    if (record.kind !== 'UserOutput' && record.kind !== 'UserCorrection') continue
    const user = record.kind === 'UserOutput' ? record.user : record.correction.user
    const bucket = buckets.get(user) ?? (await readBucket({ user, pos: record.pos }))
    buckets.set(user, history.take(record, bucket))
    replays.get(user)?.take(record)
    if (++rows % settleLimits.rereadRows === 0) await writeHistory(history.drain())
  }
  await writeHistory(history.drain())
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

/** 0 of none. */
export const lowestPos = (all: readonly Pos[]): Pos =>
  all.reduce((least, pos) => (pos < least ? pos : least), all[0] ?? (0n as Pos))
