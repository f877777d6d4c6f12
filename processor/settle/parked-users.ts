import type { AssetId, Pos, UserId } from '../../core/ids.ts'
import { partitionOf } from '../../core/partition.ts'
import type { CqlPort, CqlValue } from '../../runtime/cql/port.ts'
import { refuse } from '../../runtime/stop.ts'
import type { Parking } from './batch-fold.ts'
import { settleLimits } from './limits.ts'

/**
 * The users of a partition that are parked at `upTo`: those with a row there whose cell has not reached the refused
 * version. Rows stay when a user is healed, so the cell decides. Rows further on will be met again as records.
 */
export const loadParked = async ({
  cql,
  partition,
  partitions,
  upTo,
  signal,
}: {
  readonly cql: CqlPort
  readonly partition: number
  readonly partitions: number
  readonly upTo: Pos
  /** Nobody waits any more for a store that does not answer. */
  readonly signal: AbortSignal
}): Promise<Map<UserId, Parking>> => {
  const rows: { readonly user: UserId; readonly parking: Parking }[] = []
  for await (const row of cql.scan('SELECT user_id, pos, asset, version FROM parked', [], { signal })) {
    const user = row['user_id'] as UserId
    const parking = { pos: row['pos'] as Pos, asset: row['asset'] as AssetId, version: row['version'] as bigint }
    if (partitionOf(user, partitions) !== partition || parking.pos > upTo) continue
    rows.push({ user, parking })
    if (rows.length > settleLimits.parkedRows)
      throw refuse(
        'parked-too-many',
        `more than ${settleLimits.parkedRows} rows in parked: delete those of healed users`,
      )
  }
  const parked = new Map<UserId, Parking>()
  for (const { user, parking } of rows) {
    const [row] = await cql.query(
      'SELECT bal FROM balances WHERE user_id = ? AND asset = ?',
      [user, parking.asset],
      signal,
    )
    const version = row ? ((row['bal'] as readonly CqlValue[])[2] as bigint) : 0n
    if (version < parking.version) parked.set(user, parking)
  }
  return parked
}
