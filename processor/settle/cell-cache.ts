import type { UserOutput } from '../../core/events.ts'
import type { Cell } from '../../core/fold.ts'
import type { AssetId, UserId } from '../../core/ids.ts'
import { CellTable, WalletCells } from './cell-table.ts'
import type { Bucket } from './history-buckets.ts'
import type { OpenOrders } from './open-orders.ts'
import { Unwritten } from './unwritten.ts'

/** What this owner knows of one user: all balances (an asset that is not here has no cell), and where history goes on. */
export type Wallet = {
  readonly user: UserId
  readonly cells: WalletCells
  /** Cells to be written: changed, or loaded and not yet written again. */
  readonly unwritten: Unwritten<AssetId>
  /** Batches under way that use it; it can't be evicted before they are acknowledged. */
  holds: number
  /** The bucket of the last history row; null before the user's first. */
  bucket: Bucket | null
  /** Whether this owner has written the bucket that it loaded again. */
  bucketReasserted: boolean
  /** Null before a record of the user first changed an order. */
  openOrders: OpenOrders | null
  /** What it counts for. */
  weight: number
}

/** What the store says of a user. */
export type StoredWallet = { readonly cells: ReadonlyMap<AssetId, Cell>; readonly bucket: Bucket | null }

/**
 * The wallets of one partition's owner, for as long as it owns it; bounded by cells, the longest unused evicted first.
 * A wallet in use, and so every cell that is not acknowledged, is never evicted: read again too early, the store would
 * answer with what was before.
 */
export class CellCache {
  readonly #maxCells: number
  readonly #table = new CellTable()
  /** In the order of use. */
  readonly #wallets = new Map<UserId, Wallet>()
  #cells = 0

  constructor({ maxCells }: { readonly maxCells: number }) {
    this.#maxCells = maxCells
  }

  /** Cells held now, each open order counted as one; an empty wallet counts as one too. */
  get size(): number {
    return this.#cells
  }

  get(user: UserId): Wallet | undefined {
    return this.#wallets.get(user)
  }

  /**
   * Takes in what the store says of a user. Each cell is to be written again unchanged at its own pos: what a quorum
   * read may have been seen by one replica alone, and could be gone when it is read again. So is the bucket.
   */
  load(user: UserId, { cells, bucket }: StoredWallet): Wallet {
    const wallet: Wallet = {
      user,
      cells: new WalletCells(this.#table, cells),
      unwritten: new Unwritten(cells.keys()),
      holds: 0,
      bucket,
      bucketReasserted: false,
      openOrders: null,
      weight: 0,
    }
    this.#wallets.set(user, wallet)
    this.#weigh(wallet)
    return wallet
  }

  /** A batch begins to use it. */
  hold(wallet: Wallet): void {
    wallet.holds++
    this.#wallets.delete(wallet.user)
    this.#wallets.set(wallet.user, wallet)
  }

  /** The batch was acknowledged whole. */
  release(wallet: Wallet): void {
    wallet.holds--
    // Of its open orders what is written may be forgotten.
    this.#weigh(wallet)
  }

  set(wallet: Wallet, asset: AssetId, cell: Cell): void {
    wallet.cells.set(asset, cell)
    wallet.unwritten.add(asset)
    this.#weigh(wallet)
  }

  /** Takes in what the store says of a user's open orders. */
  loadOpenOrders(wallet: Wallet, openOrders: OpenOrders): void {
    wallet.openOrders = openOrders
    this.#weigh(wallet)
  }

  /** A record of the user that changes orders; open orders go on whether or not its balances follow. */
  takeOrders(wallet: Wallet, record: UserOutput): void {
    if (!wallet.openOrders) throw new Error(`the open orders of user ${wallet.user} were not loaded for its batch`)
    wallet.openOrders.take(record)
    this.#weigh(wallet)
  }

  /** Evicts down to the bound, or as far as wallets in use allow. */
  evict(): void {
    for (const [user, wallet] of this.#wallets) {
      if (this.#cells <= this.#maxCells) return
      if (wallet.holds > 0 || !wallet.unwritten.isEmpty || wallet.openOrders?.isWritten === false) continue
      this.#wallets.delete(user)
      this.#cells -= wallet.weight
      wallet.cells.clear()
    }
  }

  #weigh(wallet: Wallet): void {
    const weight = Math.max(1, wallet.cells.size + (wallet.openOrders?.size ?? 0))
    this.#cells += weight - wallet.weight
    wallet.weight = weight
  }
}
