import type { Cell } from '../../core/fold.ts'
import type { AssetId, UserId } from '../../core/ids.ts'
import type { Bucket } from './history-buckets.ts'

/** What this owner knows of one user: all balances (an asset that is not here has no cell), and where history goes on. */
export type Wallet = {
  readonly user: UserId
  readonly cells: Map<AssetId, Cell>
  /** Cells to be written: changed, or loaded and not yet written again. */
  readonly unwritten: Set<AssetId>
  /** Batches under way that use it; it can't be evicted before they are acknowledged. */
  holds: number
  /** The bucket of the last history row; null before the user's first. */
  bucket: Bucket | null
  /** Whether this owner has written the bucket that it loaded again. */
  bucketReasserted: boolean
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
  /** In the order of use. */
  readonly #wallets = new Map<UserId, Wallet>()
  #cells = 0

  constructor({ maxCells }: { readonly maxCells: number }) {
    this.#maxCells = maxCells
  }

  /** Cells held now; an empty wallet counts as one. */
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
      cells: new Map(cells),
      unwritten: new Set(cells.keys()),
      holds: 0,
      bucket,
      bucketReasserted: false,
    }
    this.#wallets.set(user, wallet)
    this.#cells += weight(wallet)
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
  }

  set(wallet: Wallet, asset: AssetId, cell: Cell): void {
    const before = weight(wallet)
    wallet.cells.set(asset, cell)
    wallet.unwritten.add(asset)
    this.#cells += weight(wallet) - before
  }

  /** Evicts down to the bound, or as far as wallets in use allow. */
  evict(): void {
    for (const [user, wallet] of this.#wallets) {
      if (this.#cells <= this.#maxCells) return
      if (wallet.holds > 0 || wallet.unwritten.size > 0) continue
      this.#wallets.delete(user)
      this.#cells -= weight(wallet)
    }
  }
}

const weight = (wallet: Wallet): number => Math.max(1, wallet.cells.size)
