import type { Barrier, BalanceChange, UserOutput, UserRecord } from '../../core/events.ts'
import { type Cell, correctionChange, emptyCell, foldChanges, type FoldRefusal } from '../../core/fold.ts'
import type { AssetId, Pos, UserId } from '../../core/ids.ts'
import { addToSum } from '../../core/money.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import { refuse } from '../../runtime/stop.ts'
import type { BucketRules } from '../../schemas/cql/placement.ts'
import type { CellCache, Wallet } from './cell-cache.ts'
import { HistoryRows, type Pack } from './history-rows.ts'
import { balanceRow, intervalRow, referenceRows } from './rows.ts'
import { corrected, type ReplayCause, type ReplayOutcome } from './user-replay.ts'

/** Whether a record needs its user's open orders. */
const changesOrders = (record: UserRecord): record is UserOutput =>
  record.kind === 'UserOutput' && record.orders.length > 0

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

/** One inner list per partition key; whoever writes them takes each out. */
export type RowGroups = (readonly CqlStatement[])[]

export type BatchRows = {
  /** From the events alone; all of them acknowledged before any cell is sent. */
  readonly history: RowGroups
  /** Balances, open orders and intervals. */
  readonly cells: RowGroups
  readonly wallets: readonly Wallet[]
  /** What became of users whose balances did not follow. */
  readonly news: readonly FoldNews[]
}

/** A user whose records of this batch can't go on before the log is read again for it. */
export type Waiting = {
  readonly cause: ReplayCause
  /** The user's cells as they stand before the cause. */
  readonly wallet: Wallet
  /** Records of the user after the cause. */
  readonly rest: ReplayCause[]
}

export type FoldNews =
  | { readonly kind: 'parked'; readonly user: UserId; readonly pos: Pos; readonly refusal: FoldRefusal }
  | { readonly kind: 'healed'; readonly user: UserId; readonly cause: ReplayCause }
  | { readonly kind: 'still-parked'; readonly user: UserId; readonly cause: ReplayCause; readonly refusal: FoldRefusal }

export type BatchFoldOptions = {
  readonly state: PartitionState
  readonly cache: CellCache
  /** Of every user in the batch, held for it. */
  readonly wallets: ReadonlyMap<UserId, Wallet>
  readonly buckets: BucketRules
  readonly pack: Pack
}

/** Folds the records of one batch into cells, and gathers all rows that have to be written for it. No I/O. */
export class BatchFold {
  readonly #state: PartitionState
  readonly #cache: CellCache
  readonly #history: HistoryRows
  readonly #pack: Pack
  readonly #reference: CqlStatement[][] = []
  readonly #intervals: CqlStatement[][] = []
  readonly #wallets: ReadonlyMap<UserId, Wallet>
  readonly #waiting = new Map<UserId, Waiting>()
  readonly #news: FoldNews[] = []

  constructor({ state, cache, wallets, buckets, pack }: BatchFoldOptions) {
    this.#state = state
    this.#cache = cache
    this.#wallets = wallets
    this.#history = new HistoryRows(buckets, pack)
    this.#pack = pack
  }

  /** The next record. History and sums count it whether or not it applies. */
  take(record: UserRecord): void {
    switch (record.kind) {
      case 'UserOutput':
        this.#record(record)
        for (const { value } of record.changes) this.#add(value)
        return this.#settle(record)
      case 'UserCorrection':
        this.#record(record)
        this.#add(correctionChange(record.correction))
        return this.#settle(record)
      case 'UserRedrive':
        return this.#settle(record)
      case 'UserReference':
        this.#reference.push(...referenceRows(record.reference, record.pos))
        return
      case 'Barrier':
        return this.#close(record)
    }
  }

  /** Users for whom the log has to be read again; each one's records wait here, everybody else's do not. */
  get waiting(): ReadonlyMap<UserId, Waiting> {
    return this.#waiting
  }

  /** History so far: the store must have it before the log is read again, which goes on from the buckets there. */
  drainHistory(): RowGroups {
    return this.#history.drain()
  }

  /** What the log says of a user that waits. Its later records are folded now, and may make it wait again. */
  resolve(user: UserId, outcome: ReplayOutcome): void {
    const waiting = this.#waiting.get(user)
    if (!waiting) throw new Error(`user ${user} does not wait for a re-read`)
    this.#waiting.delete(user)
    const { cause, wallet, rest } = waiting
    if (outcome.kind === 'healed') {
      this.#take(wallet, outcome.cells)
      this.#state.parked.delete(user)
      this.#news.push({ kind: 'healed', user, cause })
    } else this.#refuse(waiting, outcome)
    for (const record of rest) this.#settle(record)
  }

  /** Everything to be written; the fold is over. */
  rows(): BatchRows {
    if (this.#waiting.size > 0) throw new Error(`${this.#waiting.size} users still wait for a re-read`)
    const wallets = [...this.#wallets.values()]
    const cells = wallets
      .map(wallet => takeUnwritten(wallet).map(row => this.#pack(row)))
      .filter(rows => rows.length > 0)
    return {
      history: [...this.#history.drain(), ...this.#reference],
      cells: [...cells, ...this.#intervals],
      wallets,
      news: this.#news,
    }
  }

  #record(record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>): void {
    const wallet = this.#walletOf(record.kind === 'UserOutput' ? record.user : record.correction.user)
    if (wallet.bucket && !wallet.bucketReasserted) this.#history.reassert(wallet.user, wallet.bucket)
    wallet.bucketReasserted = true
    wallet.bucket = this.#history.take(record, wallet.bucket)
    if (changesOrders(record)) this.#cache.takeOrders(wallet, record)
  }

  #add({ asset, deltaAvailable, deltaFrozen }: BalanceChange): void {
    const { sums } = this.#state
    sums.set(asset, addToSum(sums.get(asset) ?? 0n, deltaAvailable + deltaFrozen))
  }

  /** Brings one record of a user to its cells, or lets the user wait for a re-read. */
  #settle(record: ReplayCause): void {
    const user = causeUser(record)
    const wallet = this.#walletOf(user)
    const waiting = this.#waiting.get(user)
    if (waiting) {
      waiting.rest.push(record)
      return
    }
    const parked = this.#state.parked.has(user)
    if (record.kind === 'UserOutput' && parked) return
    // Nobody waits for a Redrive of a user that is not parked.
    if (record.kind === 'UserRedrive' && !parked) return
    if (!parked && this.#apply(record, wallet)) return
    this.#waiting.set(user, { cause: record, wallet, rest: [] })
  }

  /** False when it does not follow; the cells are then as they were. */
  #apply(record: ReplayCause, wallet: Wallet): boolean {
    const cellOf = (asset: AssetId): Cell => wallet.cells.get(asset) ?? emptyCell
    switch (record.kind) {
      case 'UserOutput': {
        const result = foldChanges(cellOf, record)
        if (result.kind === 'applied') this.#take(wallet, result.cells)
        return result.kind === 'applied'
      }
      case 'UserCorrection': {
        const { correction, pos } = record
        const cell = cellOf(correction.asset)
        if (correction.version <= cell.version) return true
        const after = corrected(cell, pos, correction)
        if (after) this.#take(wallet, new Map([[correction.asset, after]]))
        return after !== undefined
      }
      case 'UserRedrive':
        return true
    }
  }

  #refuse({ cause, wallet }: Waiting, { at, refusal, cells }: Extract<ReplayOutcome, { kind: 'refused' }>): void {
    const { user } = wallet
    if (cause.kind !== 'UserOutput') {
      // Nothing is written: a user that was parked stays parked, one that was not waits for its next output.
      this.#news.push({ kind: 'still-parked', user, cause, refusal })
      return
    }
    // What came before the record that does not follow stays applied.
    this.#take(wallet, cells)
    const { asset, version } = refusal.change
    const parking = { pos: at, asset, version }
    this.#state.parked.set(user, parking)
    this.#history.park({ user, ...parking, code: refusal.kind, message: refusal.message })
    this.#news.push({ kind: 'parked', user, pos: at, refusal })
  }

  #take(wallet: Wallet, cells: ReadonlyMap<AssetId, Cell>): void {
    for (const [asset, cell] of cells) this.#cache.set(wallet, asset, cell)
  }

  #close(barrier: Barrier): void {
    const { pos, n, previous, flow } = barrier
    const { partition, sums, lastBarrier } = this.#state
    if (previous !== lastBarrier)
      throw refuse(
        'barrier-order',
        `partition ${partition}: the barrier at pos ${pos} follows pos ${previous}, but the one read before it is at ${lastBarrier}; the group's offset is not just after a barrier. Stop all of settle, then: settle replay --group settle --to ${lastBarrier}`,
        { partition, pos, previous, lastBarrier },
      )
    if (pos <= lastBarrier)
      throw refuse(
        'barrier-order',
        `partition ${partition}: a barrier at pos ${pos} after the one at ${lastBarrier}; each must be above the last: user.outputs was not written by repartition`,
        { partition, pos, lastBarrier },
      )
    if (barrier.ns[partition] !== n)
      throw refuse(
        'barrier-number',
        `partition ${partition}: the barrier at pos ${pos} is n=${n} here, but says ${String(barrier.ns[partition])} of this partition; user.outputs was not written by repartition`,
        { partition, pos, n },
      )
    const flows = flow.map(({ asset, amount }) => [asset, amount] as const)
    this.#intervals.push([intervalRow({ pos, partition, n, previous, sums: [...sums], flow: flows })])
    sums.clear()
    this.#state.lastBarrier = pos
  }

  #walletOf(user: UserId): Wallet {
    const wallet = this.#wallets.get(user)
    if (!wallet) throw new Error(`the wallet of user ${user} was not loaded for its batch`)
    return wallet
  }
}

const causeUser = (record: ReplayCause): UserId =>
  record.kind === 'UserCorrection' ? record.correction.user : record.user

const takeUnwritten = (wallet: Wallet): CqlStatement[] => {
  const { user, cells, unwritten, openOrders } = wallet
  const rows = unwritten.drain().map(asset => balanceRow(user, asset, cells.get(asset) ?? emptyCell))
  return [...rows, ...(openOrders?.drain() ?? [])]
}
