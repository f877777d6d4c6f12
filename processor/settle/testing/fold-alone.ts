import type { UserRecord } from '../../../core/events.ts'
import type { Cell } from '../../../core/fold.ts'
import type { AssetId, Pos, UserId } from '../../../core/ids.ts'
import { userOf } from '../../../core/user-of.ts'
import { bucketRules } from '../../../schemas/cql/placement.ts'
import { BatchFold, type BatchRows, type PartitionState } from '../batch-fold.ts'
import { CellCache, type Wallet } from '../cell-cache.ts'
import { OpenOrders } from '../open-orders.ts'

/**
 * One partition's records to rows by settle's own fold, without Kafka and without a store, as if it had acknowledged all
 * that came before: every user is new, all of it stays in memory.
 */
export class FoldAlone {
  readonly #cache = new CellCache({ maxCells: Number.POSITIVE_INFINITY })
  readonly #state: PartitionState

  constructor({ partition }: { readonly partition: number }) {
    this.#state = { partition, sums: new Map(), lastBarrier: 0n as Pos, parked: new Map() }
  }

  /** The rows of the next batch. @throws Error when a user's balance does not follow: settle would read the log again */
  take(records: readonly UserRecord[]): BatchRows {
    const users = new Set<UserId>()
    for (const record of records) {
      const user = userOf(record)
      if (user !== null) users.add(user)
    }
    const wallets = new Map([...users].map(user => [user, this.#walletOf(user)] as const))
    const fold = new BatchFold({
      state: this.#state,
      cache: this.#cache,
      wallets,
      buckets: bucketRules,
      pack: row => row,
    })
    for (const record of records) fold.take(record)
    const [refused] = fold.waiting.keys()
    if (refused !== undefined) throw new Error(`user ${refused} does not follow its balance: it would be parked`)
    return fold.rows()
  }

  cell(user: UserId, asset: number): Cell | undefined {
    return this.#cache.get(user)?.cells.get(asset as AssetId)
  }

  #walletOf(user: UserId): Wallet {
    const known = this.#cache.get(user)
    if (known) return known
    const wallet = this.#cache.load(user, { cells: new Map(), bucket: null })
    this.#cache.loadOpenOrders(wallet, new OpenOrders(user, { slots: new Map(), next: 0n as Pos }))
    return wallet
  }
}
