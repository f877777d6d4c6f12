import type { LogRecord } from '../../core/events.ts'
import type { AssetId, Pos, UserId } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { refuse } from '../../runtime/stop.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import { operateLimits } from './limits.ts'
import { boundsOf, lastAtPos, logRecordsFrom } from './log-places.ts'
import type { OperatorPlaces } from './operator-command.ts'
import { type Balance, type Posting, type Standing, standingOf } from './standing.ts'

/** One balance of a user: as the store has it, and as it stands by the log. */
type AssetStanding = { readonly stored: Balance; readonly standing: Standing }

export type NamedAsset = { readonly asset: AssetId; readonly name: string; readonly decimals: number }

export type UserStanding = {
  readonly assets: readonly NamedAsset[]
  readonly of: (asset: AssetId) => AssetStanding
  /** Balances of the user that the store or the log's end knows. */
  readonly known: readonly AssetId[]
}

/**
 * What the store has of a user, and what the log has beyond it. The log is read from before anything that the store
 * may not have: from settle's committed place, or from where the user was parked.
 */
export const readUserStanding = async (places: OperatorPlaces, user: UserId): Promise<UserStanding> => {
  // The place is read before the cells: what is applied meanwhile is read twice, never missed.
  const settled = await settledOffset(places, user)
  const cql = await places.openCql()
  try {
    const assets = await readAssets(cql)
    const stored = await readWallet(cql, user)
    const parked = await firstParked(cql, user, stored)
    const postings = await readPostings(places, { user, settled, parked })
    const none: Balance = { available: 0n, frozen: 0n, version: 0n }
    const cellOf = (asset: AssetId): Balance => stored.get(asset) ?? none
    return {
      assets,
      of: asset => ({ stored: cellOf(asset), standing: standingOf(cellOf(asset), postings.get(asset) ?? []) }),
      known: [...new Set([...stored.keys(), ...postings.keys()])].sort((a, b) => a - b),
    }
  } finally {
    await cql.close()
  }
}

/** The log's offset up to which settle has surely settled the user's partition, plus one. */
const settledOffset = async ({ kafka, names, partitions }: OperatorPlaces, user: UserId): Promise<bigint> => {
  const topic = names.topics.users
  const partition = partitionOf(user, partitions)
  const committed = (await kafka.committed({ group: names.groups.settle, topic })).get(partition)
  if (!committed)
    throw refuse(
      'settle-uncommitted',
      `group ${names.groups.settle} has no offset of ${topic}, partition ${partition}; run: settle init`,
    )
  const [last] = await kafka.readTail({ topic, partition, count: 1, before: committed.offset })
  return last ? decodeUserRecord(last.value).src + 1n : 0n
}

export const readAssets = async (cql: CqlPort): Promise<readonly NamedAsset[]> => {
  const rows: NamedAsset[] = []
  for await (const row of cql.scan('SELECT asset, name, decimals FROM assets'))
    rows.push({
      asset: row['asset'] as AssetId,
      name: row['name'] as string,
      decimals: row['decimals'] as number,
    })
  return rows.sort((a, b) => a.asset - b.asset)
}

const readWallet = async (cql: CqlPort, user: UserId): Promise<ReadonlyMap<AssetId, Balance>> => {
  const rows = await cql.query('SELECT asset, bal FROM balances WHERE user_id = ?', [user])
  return new Map(
    rows.map(row => {
      const [available, frozen, version] = row['bal'] as [bigint, bigint, bigint]
      return [row['asset'] as AssetId, { available, frozen, version }]
    }),
  )
}

/** Rows stay when a user is healed: one whose cell has not reached its version counts. */
const firstParked = async (cql: CqlPort, user: UserId, stored: ReadonlyMap<AssetId, Balance>): Promise<Pos | null> => {
  let first: Pos | null = null
  for (const row of await cql.query('SELECT pos, asset, version FROM parked WHERE user_id = ?', [user])) {
    const reached = stored.get(row['asset'] as AssetId)?.version ?? 0n
    const pos = row['pos'] as Pos
    if (reached < (row['version'] as bigint) && (first === null || pos < first)) first = pos
  }
  return first
}

const readPostings = async (
  places: OperatorPlaces,
  { user, settled, parked }: { readonly user: UserId; readonly settled: bigint; readonly parked: Pos | null },
): Promise<ReadonlyMap<AssetId, readonly Posting[]>> => {
  const { kafka, names, progress } = places
  const topic = names.topics.log
  const parkedAt = parked === null ? null : await lastAtPos(kafka, topic, parked)
  const from = parkedAt && parkedAt.offset < settled ? parkedAt.offset : settled
  const { end } = await boundsOf(kafka, topic)
  if (end - from > operateLimits.scanOffsets)
    throw refuse(
      'correct-too-far',
      `the user's balance is settled up to offset ${from} of ${topic}, which ends at ${end}: more than ` +
        `${operateLimits.scanOffsets} records to look through. See with settle status why settle is behind`,
    )
  if (end - from > 100_000n)
    progress(`reading ${end - from} offsets of ${topic} for what came after the store's balance`)
  const postings = new Map<AssetId, Posting[]>()
  let count = 0
  for await (const { record } of logRecordsFrom(kafka, topic, from))
    for (const { asset, posting } of postingsOf(record, user)) {
      if (++count > operateLimits.scanPostings)
        throw refuse(
          'correct-too-many',
          `more than ${operateLimits.scanPostings} postings of user ${user} came after what settle has settled; ` +
            'see with settle status why settle is behind',
        )
      const all = postings.get(asset)
      if (all) all.push(posting)
      else postings.set(asset, [posting])
    }
  return postings
}

const postingsOf = (record: LogRecord, user: UserId): readonly { asset: AssetId; posting: Posting }[] => {
  const { pos } = record
  switch (record.kind) {
    case 'Output':
      return record.output.changes
        .filter(change => change.user === user)
        .map(change => ({ asset: change.asset, posting: { ...change, kind: 'Change', pos } }))
    case 'Correction': {
      const { correction } = record
      return correction.user === user
        ? [{ asset: correction.asset, posting: { ...correction, kind: 'Correction', pos } }]
        : []
    }
    case 'Reference':
    case 'Session':
    case 'Tick':
    case 'Gap':
    case 'Admit':
    case 'Redrive':
    case 'Refused':
    case 'Note':
      return []
  }
}
