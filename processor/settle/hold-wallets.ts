import type { Pos, UserId } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { CellCache, StoredWallet, Wallet } from './cell-cache.ts'
import { readBucket } from './history-buckets.ts'
import { readOpenOrders } from './read-open-orders.ts'
import { readWallet } from './read-wallet.ts'
import type { Outline } from './record-queue.ts'

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
  records: Iterable<Outline>,
  loading: Loading,
): Promise<ReadonlyMap<UserId, Wallet>> => {
  const { cache, proveReads } = loading
  const held = new Map<UserId, Wallet>()
  // As soon as it is known: a batch that ends while more is read evicts what nobody holds.
  const hold = (wallet: Wallet): Wallet => {
    cache.hold(wallet)
    held.set(wallet.user, wallet)
    return wallet
  }
  const reading: Promise<void>[] = []
  for (const needed of neededBy(records)) {
    const known = cache.get(needed.user)
    if (known) hold(known)
    if (!isWhole(known, needed)) reading.push(readMissing(needed, { ...loading, known, hold }))
  }
  if (reading.length > 0) {
    await Promise.all(reading)
    await proveReads()
  }
  return held
}

/** Each user once, with the pos of the first record that it is needed for. */
const neededBy = (records: Iterable<Outline>): Iterable<Needed> => {
  const all = new Map<UserId, Needed>()
  for (const { user, pos, hasOrders } of records) {
    if (user === null) continue
    const needed = all.get(user)
    if (needed) needed.withOrders ||= hasOrders
    else all.set(user, { user, pos, withOrders: hasOrders })
  }
  return all.values()
}

/** Whether nothing of it need be read. */
const isWhole = (known: Wallet | undefined, { withOrders }: Needed): boolean =>
  known !== undefined && (!withOrders || known.openOrders !== null)

type Missing = Omit<Loading, 'proveReads'> & {
  readonly known: Wallet | undefined
  readonly hold: (wallet: Wallet) => Wallet
}

const readMissing = async (
  { user, pos, withOrders }: Needed,
  { cql, cache, signal, known, hold }: Missing,
): Promise<void> => {
  const [wallet, openOrders] = await Promise.all([
    known ?? readStored({ user, pos }, { cql, signal }).then(stored => hold(cache.load(user, stored))),
    withOrders ? readOpenOrders(cql, { user, pos }, signal) : null,
  ])
  if (openOrders) cache.loadOpenOrders(wallet, openOrders)
}

const readStored = async (
  first: { readonly user: UserId; readonly pos: Pos },
  { cql, signal }: Pick<Loading, 'cql' | 'signal'>,
): Promise<StoredWallet> => {
  const [cells, bucket] = await Promise.all([readWallet(cql, first.user, signal), readBucket(cql, first, signal)])
  return { cells, bucket }
}
