import type { UserRecord } from '../../../core/events.ts'
import type { Pos, UserId } from '../../../core/ids.ts'
import { bucketRules } from '../../../schemas/cql/placement.ts'
import { BatchFold, type BatchRows, type PartitionState, userOf } from '../batch-fold.ts'
import { CellCache, type Wallet } from '../cell-cache.ts'
import { OpenOrders } from '../open-orders.ts'

/** One partition's records to rows, without Kafka and without a store: every user is new, all of it stays in memory. */
export class FoldAlone {
  readonly #cache = new CellCache({ maxCells: Number.POSITIVE_INFINITY })
  readonly #state: PartitionState

  constructor({ partition }: { readonly partition: number }) {
    this.#state = { partition, sums: new Map(), lastBarrier: 0n as Pos, parked: new Map() }
  }

  /** The rows of the next batch. */
  take(records: readonly UserRecord[]): BatchRows {
    const users = new Set<UserId>()
    for (const record of records) {
      const user = userOf(record)
      if (user !== null) users.add(user)
    }
    const wallets = new Map([...users].map(user => [user, this.#walletOf(user)] as const))
    const fold = new BatchFold({ state: this.#state, cache: this.#cache, wallets, buckets: bucketRules })
    for (const record of records) fold.take(record)
    return fold.rows()
  }

  #walletOf(user: UserId): Wallet {
    const known = this.#cache.get(user)
    if (known) return known
    const wallet = this.#cache.load(user, { cells: new Map(), bucket: null })
    this.#cache.loadOpenOrders(wallet, new OpenOrders(user, new Map()))
    return wallet
  }
}
