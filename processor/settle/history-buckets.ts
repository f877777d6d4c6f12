import type { Pos, UserId } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { type BucketRules, countedItems } from '../../schemas/cql/placement.ts'

/** One partition of a user's history, named by the pos of its first record. */
export type Bucket = {
  readonly from: Pos
  /** What its counted records add up to. */
  readonly items: bigint
  /** Of the last record that was counted, or that began the bucket. */
  readonly pos: Pos
}

/**
 * The bucket of a user's next record: a function of the user's records alone, so that whoever reads the log again
 * comes to the same buckets, however far the store was. `bucket`: that of the record before, or the newest one of the
 * store that does not begin after this record. What it has counted already is not counted again.
 */
export const bucketOf = (
  bucket: Bucket | null,
  { pos, items }: { readonly pos: Pos; readonly items: number },
  rules: BucketRules,
): Bucket => {
  if (bucket && pos <= bucket.pos) return bucket
  const counted = BigInt(countedItems(pos, items, rules))
  if (bucket === null) return { from: pos, items: counted, pos }
  if (counted === 0n) return bucket
  // Only a counted record may roll: the state of rolling is written by these alone.
  if (bucket.items >= rules.items) return { from: pos, items: counted, pos }
  return { ...bucket, items: bucket.items + counted, pos }
}

/**
 * The bucket that a user's record belongs to as far as a quorum of the store knows; null when it is the user's first.
 * Right only when the history of every record before it has been acknowledged: a bucket that is not seen begins again.
 */
export const readBucket = async (
  cql: CqlPort,
  { user, pos }: { readonly user: UserId; readonly pos: Pos },
  signal: AbortSignal,
): Promise<Bucket | null> => {
  const [row] = await cql.query(
    'SELECT bucket, counted FROM history_buckets WHERE user_id = ? AND bucket <= ? LIMIT 1',
    [user, pos],
    signal,
  )
  if (!row) return null
  const [items, at] = row['counted'] as readonly [bigint, Pos]
  return { from: row['bucket'] as Pos, items, pos: at }
}
