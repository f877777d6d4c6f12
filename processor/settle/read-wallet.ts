import type { Cell } from '../../core/fold.ts'
import type { Amount, AssetId, Pos, UserId, Version } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'

/** A user's cells as a quorum of the store has them. */
export const readWallet = async (
  cql: CqlPort,
  user: UserId,
  signal: AbortSignal,
): Promise<ReadonlyMap<AssetId, Cell>> => {
  const rows = await cql.query('SELECT asset, bal FROM balances WHERE user_id = ?', [user], signal)
  return new Map(
    rows.map(row => {
      const [available, frozen, version, pos] = row['bal'] as [Amount, Amount, Version, Pos]
      return [row['asset'] as AssetId, { available, frozen, version, pos }]
    }),
  )
}
