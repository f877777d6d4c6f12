import type { UserRecord } from '../../core/events.ts'
import type { Cell } from '../../core/fold.ts'
import { type AssetId, pos, type UserId } from '../../core/ids.ts'
import { BatchFold, type BatchRows, type PartitionState, userOf } from '../../processor/settle/batch-fold.ts'
import { CellCache, type Wallet } from '../../processor/settle/cell-cache.ts'
import { OpenOrders } from '../../processor/settle/open-orders.ts'
import { bucketRules } from '../../schemas/cql/placement.ts'

/**
 * One partition of `user.outputs` through settle's own fold, from its first record on and into nothing: the statements
 * that settle would write are handed back, as if the store had acknowledged those before. The store of a new stream is
 * empty, so nothing is read from it.
 */
export class FoldedPartition {
  readonly #state: PartitionState
  readonly #cache = new CellCache({ maxCells: Number.MAX_SAFE_INTEGER })

  constructor(partition: number) {
    this.#state = { partition, sums: new Map(), lastBarrier: pos(0n), parked: new Map() }
  }

  /** The rows of one batch. @throws Error when a user's balance does not follow: settle would read the log again */
  take(records: readonly UserRecord[]): BatchRows {
    const wallets = new Map<UserId, Wallet>()
    for (const record of records) {
      const user = userOf(record)
      if (user !== null && !wallets.has(user)) wallets.set(user, this.#cache.get(user) ?? this.#load(user))
    }
    const fold = new BatchFold({ state: this.#state, cache: this.#cache, wallets, buckets: bucketRules })
    for (const record of records) fold.take(record)
    const [refused] = fold.waiting.keys()
    if (refused !== undefined) throw new Error(`user ${refused} does not follow its balance: it would be parked`)
    return fold.rows()
  }

  #load(user: UserId): Wallet {
    const wallet = this.#cache.load(user, { cells: new Map(), bucket: null })
    this.#cache.loadOpenOrders(wallet, new OpenOrders(user, new Map()))
    return wallet
  }

  cell(user: UserId, asset: number): Cell | undefined {
    return this.#cache.get(user)?.cells.get(asset as AssetId)
  }
}
