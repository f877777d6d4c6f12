import type {
  BalanceChange,
  CorrectionBody,
  EngineOutput,
  LogRecord,
  OrderUpdate,
  ReferenceData,
  Trade,
} from '../events.ts'
import type { AssetId, OrderId, Pos, UserId, Version } from '../ids.ts'
import { type LedgerBalance, type LedgerHole, NaiveBalances } from './naive-balances.ts'
import { NaiveOrders } from './naive-orders.ts'
import { ProblemList } from './problem-list.ts'

/** Where a row stands: its record's pos, the engine's time (µs), and its place in the output's own list. */
export type LedgerPlace = { readonly pos: Pos; readonly time: bigint; readonly index: number }

export type NaiveLedgerOptions = {
  /** Every posting in the log's order, with the engine's values; a Correction is one too (time: the operator's clock). */
  readonly onPosting?: (posting: BalanceChange, place: LedgerPlace) => void
  /** Every trade, whole. */
  readonly onTrade?: (trade: Trade, place: LedgerPlace) => void
  /** Every update of every order, as the engine said it. */
  readonly onOrderUpdate?: (update: OrderUpdate, place: LedgerPlace) => void
  /** Most contradictions that are told in words; all are counted. */
  readonly maxProblems?: number
  /** Most postings that wait for a missing version, over all users. */
  readonly maxWaiting?: number
}

/**
 * The oracle: what every store must contain, worked out from whole records of `engine.outputs` one at a time and
 * in the dullest way, apart from the code that settles. Balances are sums of deltas from zero; orders are filled by
 * their trades; a Correction takes the place of the versions that are missing up to its own, also when postings after
 * it came before it. It believes nothing that it can add up, and lists each contradiction in `problems`.
 *
 * Memory: one account per (user, asset), one life per order, one id per trade, and the versions asked for by `watch`.
 * Postings, trades and updates go to the callbacks and are not kept.
 */
export class NaiveLedger {
  readonly #options: NaiveLedgerOptions
  readonly #problems: ProblemList
  readonly #balances: NaiveBalances
  readonly #orders: NaiveOrders
  #external = new Map<AssetId, bigint>()
  #moved = new Map<AssetId, bigint>()
  #reference: ReferenceData | null = null
  #last: LogRecord | null = null

  constructor(options: NaiveLedgerOptions = {}) {
    this.#options = options
    this.#problems = new ProblemList(options.maxProblems ?? 100)
    this.#balances = new NaiveBalances(this.#problems, options.maxWaiting ?? 1_000_000)
    this.#orders = new NaiveOrders(this.#problems)
  }

  /** Asks for the balance at a version, before the records that reach it are taken: `balanceAt` then knows it. */
  watch(user: UserId, asset: AssetId, version: Version): void {
    this.#balances.watch(user, asset, version)
  }

  /** The next record of the log. Never throws for what it says; what contradicts itself becomes a problem. */
  take(record: LogRecord): void {
    if (this.#last && record.pos <= this.#last.pos)
      this.#problems.add(`a ${record.kind} at pos ${record.pos} follows pos ${this.#last.pos}`)
    this.#last = record
    switch (record.kind) {
      case 'Output':
        return this.#takeOutput(record.output, record.pos)
      case 'Reference':
        this.#reference = record.output.reference
        return
      case 'Gap':
        return this.#orders.lose()
      case 'Correction':
        return this.#takeCorrection(record.correction, { pos: record.pos, time: record.command.time, index: 0 })
      case 'Session':
      case 'Tick':
      case 'Admit':
      case 'Redrive':
      case 'Refused':
      case 'Note':
        return
    }
  }

  /**
   * The balance at a version: known for version 0, for the newest one, and for those watched; undefined for any
   * other, and for a version that the log has not reached or can't reach (a hole before it).
   */
  balanceAt(user: UserId, asset: AssetId, version: Version): LedgerBalance | undefined {
    return this.#balances.at(user, asset, version)
  }

  /** Every account that has had a posting, at the last version before any hole. */
  balances(): Generator<LedgerBalance & { readonly user: UserId; readonly asset: AssetId }> {
    return this.#balances.all()
  }

  /** Every order at its last update, with filled, remaining and state as its trades make them. */
  orders(): Generator<OrderUpdate> {
    return this.#orders.all()
  }

  order(order: OrderId): OrderUpdate | undefined {
    return this.#orders.get(order)
  }

  get counts(): { readonly orders: number; readonly trades: number } {
    return { orders: this.#orders.count, trades: this.#orders.tradeCount }
  }

  get reference(): ReferenceData | null {
    return this.#reference
  }

  /** Versions that are missing with postings waiting behind them. */
  holes(): Generator<LedgerHole> {
    return this.#balances.holes()
  }

  /** What Deposits, Withdrawals and Corrections put in, per asset, read from every record. */
  externalFlow(): ReadonlyMap<AssetId, bigint> {
    return this.#external
  }

  /** What all postings together put in, per asset; equal to the external flow where money is conserved. */
  totalFlow(): ReadonlyMap<AssetId, bigint> {
    return this.#moved
  }

  /** The contradictions found so far, and one for each hole and each asset whose money is not conserved; bounded. */
  problems(): readonly string[] {
    const now = new ProblemList(this.#options.maxProblems ?? 100)
    for (const text of this.#problems.texts) now.add(text)
    for (const { user, asset, missing, waiting } of this.holes())
      now.add(`user ${user}, asset ${asset}: version ${missing} is missing, ${waiting} postings after it wait`)
    for (const text of this.#balances.unfit()) now.add(text)
    for (const [asset, moved] of this.#moved) {
      const external = this.#external.get(asset) ?? 0n
      if (moved !== external)
        now.add(`asset ${asset}: postings sum to ${moved}, deposits and withdrawals to ${external}`)
    }
    const untold = this.#problems.count - this.#problems.texts.length
    return untold === 0 ? now.texts : [...now.texts, `and ${untold} more`]
  }

  #takeOutput(output: EngineOutput, pos: Pos): void {
    const { onPosting, onTrade, onOrderUpdate } = this.#options
    const place = (index: number): LedgerPlace => ({ pos, time: output.time, index })
    this.#orders.take(output)
    output.orders.forEach((update, index) => onOrderUpdate?.(update, place(index)))
    output.trades.forEach((trade, index) => onTrade?.(trade, place(index)))
    output.changes.forEach((change, index) => {
      this.#flow(change)
      this.#balances.post(change)
      onPosting?.(change, place(index))
    })
  }

  #takeCorrection(correction: CorrectionBody, place: LedgerPlace): void {
    const change: BalanceChange = { ...correction, reason: 'Correction', ref: 0n }
    this.#flow(change)
    this.#balances.correct(change)
    this.#options.onPosting?.(change, place)
  }

  #flow(change: BalanceChange): void {
    const total = change.deltaAvailable + change.deltaFrozen
    addTo(this.#moved, change.asset, total)
    if (change.reason === 'Deposit' || change.reason === 'Withdrawal' || change.reason === 'Correction')
      addTo(this.#external, change.asset, total)
  }
}

const addTo = (sums: Map<AssetId, bigint>, asset: AssetId, amount: bigint): void => {
  sums.set(asset, (sums.get(asset) ?? 0n) + amount)
}
