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

/** A version that settle refused and the store does not have yet. */
type ParkedRow = { readonly pos: Pos; readonly asset: AssetId; readonly version: bigint; readonly code: string }

export type NamedAsset = { readonly asset: AssetId; readonly name: string; readonly decimals: number }

export type UserStanding = {
  readonly assets: readonly NamedAsset[]
  /** What people call an asset; its number where the store has no name for it. */
  readonly named: (asset: AssetId) => NamedAsset
  readonly of: (asset: AssetId) => AssetStanding
  /** Balances of the user that the store or the log's end knows. */
  readonly known: readonly AssetId[]
  /** In the order of pos; empty: the user is not parked. */
  readonly parked: readonly ParkedRow[]
  readonly readFrom: ReadFrom
}

/**
 * Where the log is read from: what settle has not settled of the user; or everything after the user's oldest balance,
 * as settle reads it for a redrive, unless that is too far.
 */
type ReadFrom = 'unsettled' | 'cells'
type StoredBalance = Balance & { readonly pos: Pos }

/**
 * What the store has of a user, and what the log has beyond it. The log is read from before anything that the store
 * may not have: from settle's committed place, or from where the user was parked.
 */
export const readUserStanding = async (
  places: OperatorPlaces,
  user: UserId,
  { from }: { readonly from: ReadFrom },
): Promise<UserStanding> => {
  // The place is read before the cells: what is applied meanwhile is read twice, never missed.
  const settled = await settledOffset(places, user)
  const cql = await places.openCql()
  try {
    const assets = await readAssets(cql)
    const stored = await readWallet(cql, user)
    const parked = await readParked(cql, user, stored)
    const unsettled = await unsettledOffset(places, settled, parked)
    const whole = from === 'cells' ? await cellsOffset(places, { unsettled, stored, parked }) : null
    const postings = await readPostings(places, { user, stored, from: whole ?? unsettled })
    const none: Balance = { available: 0n, frozen: 0n, version: 0n }
    const cellOf = (asset: AssetId): Balance => stored.get(asset) ?? none
    return {
      assets,
      named: asset => assets.find(each => each.asset === asset) ?? { asset, name: `${asset}`, decimals: 0 },
      of: asset => ({ stored: cellOf(asset), standing: standingOf(cellOf(asset), postings.get(asset) ?? []) }),
      known: [...new Set([...stored.keys(), ...postings.keys()])].sort((a, b) => a - b),
      parked,
      readFrom: whole === null ? 'unsettled' : 'cells',
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

const readWallet = async (cql: CqlPort, user: UserId): Promise<ReadonlyMap<AssetId, StoredBalance>> => {
  const rows = await cql.query('SELECT asset, bal FROM balances WHERE user_id = ?', [user])
  return new Map(
    rows.map(row => {
      const [available, frozen, version, pos] = row['bal'] as [bigint, bigint, bigint, Pos]
      return [row['asset'] as AssetId, { available, frozen, version, pos }]
    }),
  )
}

/** Rows stay when a user is healed: those whose cell has not reached their version count. */
const readParked = async (
  cql: CqlPort,
  user: UserId,
  stored: ReadonlyMap<AssetId, Balance>,
): Promise<readonly ParkedRow[]> => {
  const rows = await cql.query('SELECT pos, asset, version, code FROM parked WHERE user_id = ?', [user])
  return rows
    .map(row => ({
      pos: row['pos'] as Pos,
      asset: row['asset'] as AssetId,
      version: row['version'] as bigint,
      code: row['code'] as string,
    }))
    .filter(({ asset, version }) => (stored.get(asset)?.version ?? 0n) < version)
    .sort((a, b) => (a.pos < b.pos ? -1 : 1))
}

const unsettledOffset = async (
  { kafka, names }: OperatorPlaces,
  settled: bigint,
  [first]: readonly ParkedRow[],
): Promise<bigint> => {
  const parkedAt = first && (await lastAtPos(kafka, names.topics.log, first.pos))
  return parkedAt && parkedAt.offset < settled ? parkedAt.offset : settled
}

/** Of the first record that may be missing in any of the user's cells; null when that is too far to look through. */
const cellsOffset = async (
  { kafka, names }: OperatorPlaces,
  {
    unsettled,
    stored,
    parked,
  }: {
    readonly unsettled: bigint
    readonly stored: ReadonlyMap<AssetId, StoredBalance>
    readonly parked: readonly ParkedRow[]
  },
): Promise<bigint | null> => {
  const topic = names.topics.log
  const { low, end } = await boundsOf(kafka, topic)
  // A cell that is not there has no pos: what was before it may be anywhere in the log.
  const isWhole = parked.every(({ asset }) => stored.has(asset))
  const lowest = [...stored.values()].reduce((least, { pos }) => (pos < least ? pos : least), maxPos)
  const oldest = isWhole ? await lastAtPos(kafka, topic, lowest) : null
  const from = oldest ? oldest.offset + 1n : low
  if (end - from > operateLimits.scanOffsets) return null
  return from < unsettled ? from : unsettled
}

const maxPos = (2n ** 63n - 1n) as Pos

const readPostings = async (
  { kafka, names, progress }: OperatorPlaces,
  {
    user,
    stored,
    from,
  }: { readonly user: UserId; readonly stored: ReadonlyMap<AssetId, Balance>; readonly from: bigint },
): Promise<ReadonlyMap<AssetId, readonly Posting[]>> => {
  const topic = names.topics.log
  const { end } = await boundsOf(kafka, topic)
  if (end - from > operateLimits.scanOffsets)
    throw refuse(
      'log-too-far',
      `the user's balance is settled up to offset ${from} of ${topic}, which ends at ${end}: more than ` +
        `${operateLimits.scanOffsets} records to look through. See with settle status why settle is behind`,
    )
  if (end - from > 100_000n)
    progress(`reading ${end - from} offsets of ${topic} for what came after the store's balance`)
  const postings = new Map<AssetId, Posting[]>()
  let count = 0
  for await (const { record } of logRecordsFrom(kafka, topic, from))
    for (const { asset, posting } of postingsOf(record, user)) {
      if (posting.version <= (stored.get(asset)?.version ?? 0n)) continue
      if (++count > operateLimits.scanPostings)
        throw refuse(
          'too-many-postings',
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
