import type { Barrier, BalanceChange, UserOutput, UserRecord } from '../../core/events.ts'
import { correctionChange, emptyCell, type Foldable, foldChanges, type FoldRefusal } from '../../core/fold.ts'
import type { AssetId, Pos, UserId } from '../../core/ids.ts'
import { addToSum } from '../../core/money.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import { refuse } from '../../runtime/stop.ts'
import type { CellCache, Wallet } from './cell-cache.ts'
import { HistoryRows } from './history-rows.ts'
import { balanceRow, intervalRow, referenceRows } from './rows.ts'

/** What an owner knows of its partition besides balances. */
export type PartitionState = {
  readonly partition: number
  /** Per asset, what all changes since the last barrier add, parked users included. */
  readonly sums: Map<AssetId, bigint>
  /** pos of the last barrier; 0 before the first. */
  lastBarrier: Pos
  readonly parked: Map<UserId, Parking>
}

export type Parking = { readonly pos: Pos; readonly asset: AssetId; readonly version: bigint }

export type BatchRows = {
  /** From the events alone; all of them acknowledged before any cell is sent. One inner list per partition key. */
  readonly history: readonly (readonly CqlStatement[])[]
  /** Balances and intervals. */
  readonly cells: readonly (readonly CqlStatement[])[]
  /** Where the offset may be committed once all of it is acknowledged, and old enough. */
  readonly barriers: readonly Barrier[]
  readonly wallets: readonly Wallet[]
}

/** What came of a record: taken, or refused by its user's balances, which leaves them as they were. */
export type FoldStep =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly record: UserOutput; readonly refusal: FoldRefusal }

/** Users whose wallet a record needs. */
export const userOf = (record: UserRecord): UserId | null => {
  switch (record.kind) {
    case 'UserOutput':
    case 'UserRedrive':
      return record.user
    case 'UserCorrection':
      return record.correction.user
    case 'UserReference':
    case 'Barrier':
      return null
  }
}

/** Folds the records of one batch into cells, and gathers all rows that have to be written for it. No I/O. */
export class BatchFold {
  readonly #state: PartitionState
  readonly #cache: CellCache
  readonly #history = new HistoryRows()
  readonly #reference: CqlStatement[][] = []
  readonly #intervals: CqlStatement[][] = []
  readonly #barriers: Barrier[] = []
  readonly #wallets: ReadonlyMap<UserId, Wallet>

  /** `wallets`: of every user in the batch, held for it. */
  constructor(state: PartitionState, cache: CellCache, wallets: ReadonlyMap<UserId, Wallet>) {
    this.#state = state
    this.#cache = cache
    this.#wallets = wallets
  }

  /** The next record. History and sums count it whether or not it applies. */
  take(record: UserRecord): FoldStep {
    switch (record.kind) {
      case 'UserOutput': {
        const wallet = this.#walletOf(record.user)
        wallet.indexedDay = this.#history.take(record, wallet.indexedDay)
        for (const { value } of record.changes) this.#add(value)
        return this.#state.parked.has(record.user) ? { kind: 'taken' } : this.#apply(record)
      }
      case 'UserCorrection': {
        const change = correctionChange(record.correction)
        const wallet = this.#walletOf(change.user)
        wallet.indexedDay = this.#history.take(record, wallet.indexedDay)
        this.#add(change)
        return { kind: 'taken' }
      }
      case 'UserRedrive':
        return { kind: 'taken' }
      case 'UserReference':
        this.#reference.push(...referenceRows(record.reference, record.pos))
        return { kind: 'taken' }
      case 'Barrier':
        this.#close(record)
        return { kind: 'taken' }
    }
  }

  /** Folds changes of one user that were not read as the next record: those of a Correction, of a re-read. */
  fold(changes: Foldable): FoldRefusal | null {
    const wallet = this.#walletOf(changes.user)
    const result = foldChanges(asset => wallet.cells.get(asset) ?? emptyCell, changes)
    if (result.kind === 'refused') return result.refusal
    for (const [asset, cell] of result.cells) this.#cache.set(wallet, asset, cell)
    return null
  }

  /** The user waits from this record on; nobody else does. */
  park(record: { readonly user: UserId; readonly pos: Pos }, refusal: FoldRefusal): void {
    const { asset, version } = refusal.change
    const parking = { pos: record.pos, asset, version }
    this.#state.parked.set(record.user, parking)
    this.#history.park({ user: record.user, ...parking, code: refusal.kind, message: refusal.message })
  }

  /** Everything to be written; the fold is over. */
  rows(): BatchRows {
    const wallets = [...this.#wallets.values()]
    const cells = wallets.filter(wallet => wallet.unwritten.size > 0).map(takeUnwritten)
    return {
      history: [...this.#history.groups(), ...this.#reference],
      cells: [...cells, ...this.#intervals],
      barriers: this.#barriers,
      wallets,
    }
  }

  #apply(record: UserOutput): FoldStep {
    const refusal = this.fold(record)
    return refusal === null ? { kind: 'taken' } : { kind: 'refused', record, refusal }
  }

  #add({ asset, deltaAvailable, deltaFrozen }: BalanceChange): void {
    const { sums } = this.#state
    sums.set(asset, addToSum(sums.get(asset) ?? 0n, deltaAvailable + deltaFrozen))
  }

  #close(barrier: Barrier): void {
    const { pos, n, previous, flow } = barrier
    const { partition, sums, lastBarrier } = this.#state
    if (previous !== lastBarrier)
      throw refuse(
        'barrier-order',
        `partition ${partition}: the barrier at pos ${pos} follows pos ${previous}, but the one read before it is at ${lastBarrier}; the group's offset is not just after a barrier: set it with settle replay`,
        { partition, pos, previous, lastBarrier },
      )
    if (barrier.ns[partition] !== n)
      throw refuse(
        'barrier-number',
        `partition ${partition}: the barrier at pos ${pos} is n=${n} here, but says ${String(barrier.ns[partition])} of this partition; user.outputs was not written by repartition`,
        { partition, pos, n },
      )
    const flows = flow.map(({ asset, amount }) => [asset, amount] as const)
    this.#intervals.push([intervalRow({ pos, partition, n, previous, sums: [...sums], flow: flows })])
    this.#barriers.push(barrier)
    sums.clear()
    this.#state.lastBarrier = pos
  }

  #walletOf(user: UserId): Wallet {
    const wallet = this.#wallets.get(user)
    if (!wallet) throw new Error(`the wallet of user ${user} was not loaded for its batch`)
    return wallet
  }
}

const takeUnwritten = (wallet: Wallet): CqlStatement[] => {
  const rows = [...wallet.unwritten].map(asset => balanceRow(wallet.user, asset, wallet.cells.get(asset) ?? emptyCell))
  wallet.unwritten.clear()
  return rows
}
