import type { UserRecord } from '../../core/events.ts'
import type { Pos, UserId } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { changesOrders, userOf } from './batch-fold.ts'
import type { CellCache, StoredWallet, Wallet } from './cell-cache.ts'
import { readBucket } from './history-buckets.ts'
import { readOpenOrders } from './read-open-orders.ts'
import { readWallet } from './read-wallet.ts'

type Loading = {
  readonly cql: CqlPort
  readonly cache: CellCache
  readonly signal: AbortSignal
  /** Rejects when what was read by now may be older than what was acknowledged. */
  readonly proveReads: () => Promise<void>
}
type Needed = { readonly user: UserId; readonly pos: Pos; withOrders: boolean }

/** Every wallet that a batch needs, each held so that it stays in the cache until the batch is acknowledged. */
export const holdWallets = async (
  records: Iterable<UserRecord>,
  loading: Loading,
): Promise<ReadonlyMap<UserId, Wallet>> => {
  let isRead = false
  const held = await Promise.all(
    neededBy(records).map(async needed => {
      isRead ||= !isWhole(loading.cache.get(needed.user), needed)
      const wallet = await loadWallet(needed, loading)
      loading.cache.hold(wallet)
      return [needed.user, wallet] as const
    }),
  )
  if (isRead) await loading.proveReads()
  return new Map(held)
}

/** Each user once, with the pos of the first record that it is needed for. */
const neededBy = (records: Iterable<UserRecord>): Needed[] => {
  const all = new Map<UserId, Needed>()
  for (const record of records) {
    const user = userOf(record)
    if (user === null) continue
    const needed = all.get(user) ?? { user, pos: record.pos, withOrders: false }
    needed.withOrders ||= changesOrders(record)
    all.set(user, needed)
  }
  return [...all.values()]
}

/** Whether nothing of it need be read. */
const isWhole = (known: Wallet | undefined, { withOrders }: Needed): known is Wallet =>
  known !== undefined && (!withOrders || known.openOrders !== null)

const loadWallet = async (needed: Needed, { cql, cache, signal }: Omit<Loading, 'proveReads'>): Promise<Wallet> => {
  const { user, pos, withOrders } = needed
  const known = cache.get(user)
  if (isWhole(known, needed)) return known
  const [wallet, openOrders] = await Promise.all([
    known ?? readStored({ user, pos }, { cql, signal }).then(stored => cache.load(user, stored)),
    withOrders ? readOpenOrders(cql, user, signal) : null,
  ])
  if (openOrders) cache.loadOpenOrders(wallet, openOrders)
  return wallet
}

const readStored = async (
  first: { readonly user: UserId; readonly pos: Pos },
  { cql, signal }: Pick<Loading, 'cql' | 'signal'>,
): Promise<StoredWallet> => {
  const [cells, bucket] = await Promise.all([readWallet(cql, first.user, signal), readBucket(cql, first, signal)])
  return { cells, bucket }
}
