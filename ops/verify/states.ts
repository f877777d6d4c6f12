import type { LogRecord, OrderUpdate } from '../../core/events.ts'
import {
  type AssetId,
  assetId,
  type Pos,
  pos as asPos,
  type UserId,
  userId,
  version as asVersion,
} from '../../core/ids.ts'
import type { LedgerBalance } from '../../core/oracle/naive-balances.ts'
import type { LedgerPlace, NaiveLedger } from '../../core/oracle/naive-ledger.ts'
import type { HistoryBuckets } from './history-buckets.ts'
import type { Account, LogState, Posting } from './log-state.ts'
import type { OpenSlots } from './open-slots.ts'
import type { Row } from './row-shape.ts'
import { balanceRow, referenceRows as scyllaReference, scyllaStates } from './scylla-shapes.ts'
import { StateTable } from './state-table.ts'
import { type StarRocksRows, starrocksStates } from './starrocks-shapes.ts'
import { type PlaceName, Tally } from './tally.ts'

/** Every table whose rows change, in both stores, and what the log makes of them at the barrier and after it. */
export class States {
  readonly scylla: Readonly<Record<keyof typeof scyllaStates, StateTable>>
  readonly starrocks: Readonly<Record<keyof typeof starrocksStates, StateTable>>
  readonly #ledger: NaiveLedger
  readonly #log: LogState
  readonly #starrocksRows: StarRocksRows
  readonly #parked = new Set<string>()
  readonly #buckets: HistoryBuckets
  readonly #openSlots: OpenSlots

  constructor(options: {
    readonly ledger: NaiveLedger
    readonly log: LogState
    readonly buckets: HistoryBuckets
    readonly openSlots: OpenSlots
    readonly starrocksRows: StarRocksRows
    readonly barrier: Pos
    readonly tally: Tally
    readonly leftOut: ReadonlySet<PlaceName>
  }) {
    const { ledger, log, buckets, openSlots, starrocksRows, leftOut, barrier, tally } = options
    this.#ledger = ledger
    this.#log = log
    this.#buckets = buckets
    this.#openSlots = openSlots
    this.#starrocksRows = starrocksRows
    const excused = (rows: { readonly expected: Row; readonly found: Row | null }) => this.#standsStill(rows)
    // One that is left out is called for all the same; what it lacks is told to nobody.
    const told = (place: PlaceName): Tally => (leftOut.has(place) ? new Tally() : tally)
    const table = (shape: StateTable['shape']): StateTable =>
      new StateTable({ shape, barrier, tally: told(shape.place) })
    this.scylla = {
      balances: new StateTable({ shape: scyllaStates.balances, barrier, tally: told('ScyllaDB'), excused }),
      historyBuckets: table(scyllaStates.historyBuckets),
      openOrders: table(scyllaStates.openOrders),
      assets: table(scyllaStates.assets),
      symbols: table(scyllaStates.symbols),
      house: table(scyllaStates.house),
    }
    this.starrocks = {
      orders: table(starrocksStates.orders),
      balances: table(starrocksStates.balances),
      assets: table(starrocksStates.assets),
      symbols: table(starrocksStates.symbols),
      streamMeta: table(starrocksStates.streamMeta),
    }
  }

  /** Balances of parked users that stand still, as they may. */
  get stoodStill(): number {
    return this.scylla.balances.stood
  }

  /** A user with a row in `parked`: its cells may stand still, at a version that the log has. */
  parked(user: UserId): void {
    this.#parked.add(`${user}`)
  }

  /** A cell of the store; the ledger is asked to remember the balance at its version. */
  foundCell(cell: LedgerBalance & { readonly user: UserId; readonly asset: AssetId; readonly pos: Pos }): void {
    const { user, asset, pos, ...balance } = cell
    this.scylla.balances.found(balanceRow(user, asset, balance, pos), pos)
    if (this.#parked.has(`${user}`)) this.#ledger.watch(user, asset, asVersion(balance.version))
  }

  /** The ledger has taken everything up to the barrier. */
  atBarrier(): void {
    for (const { user, asset, ...balance } of this.#ledger.balances())
      this.scylla.balances.expected(this.#cell(user, asset, balance))
    for (const { top } of this.#log.accounts()) this.starrocks.balances.expected(this.#balance(top))
    for (const update of this.#ledger.orders()) this.starrocks.orders.expected(this.#order(update))
    for (const row of this.#openSlots.rows()) this.scylla.openOrders.expected(row)
    for (const row of this.#buckets.rows()) this.scylla.historyBuckets.expected(row)
    const { reference } = this.#log
    if (reference) {
      for (const [table, row] of scyllaReference(reference.data, reference.pos)) this.scylla[table].expected(row)
      for (const [table, row] of this.#starrocksRows.reference(reference.data, reference.pos))
        this.starrocks[table].expected(row)
    }
    for (const table of this.#tables()) table.endOfBarrier()
  }

  /** The ledger has taken a record after the barrier. */
  afterBarrier(record: LogRecord): void {
    const { pos, kind } = record
    const { accounts, orders } = this.#log.touched
    for (const account of accounts) {
      const { user, asset, top } = account
      this.starrocks.balances.changed(this.#balance(top), top.place.pos)
      const balance = this.#balanceNow(account)
      const posting = balance && this.#log.postingAt(user, asset, balance.version)
      if (posting) this.scylla.balances.changed(this.#cell(user, asset, balance), posting.place.pos)
    }
    const operated = operatedUser(record)
    if (operated !== null) this.#operatedAfterBarrier(operated, pos)
    for (const order of orders) {
      const update = this.#ledger.order(order)
      if (update) this.starrocks.orders.changed(this.#order(update), pos)
    }
    for (const row of this.#openSlots.touched()) this.scylla.openOrders.changed(row, pos)
    for (const row of this.#buckets.touched) this.scylla.historyBuckets.changed(row, pos)
    const { reference } = this.#log
    if (kind !== 'Reference' || !reference) return
    for (const [table, row] of scyllaReference(reference.data, pos)) this.scylla[table].changed(row, pos)
    for (const [table, row] of this.#starrocksRows.reference(reference.data, pos))
      this.starrocks[table].changed(row, pos)
  }

  end(): void {
    for (const table of this.#tables()) table.end()
  }

  #tables(): readonly StateTable[] {
    return [...Object.values(this.scylla), ...Object.values(this.starrocks)]
  }

  /** Any of the user's balances may have moved on at that pos. */
  #operatedAfterBarrier(user: UserId, pos: Pos): void {
    for (const account of this.#log.accounts()) {
      const balance = account.user === user ? this.#balanceNow(account) : undefined
      if (balance) this.scylla.balances.changed(this.#cell(user, account.asset, balance), pos)
    }
  }

  /**
   * The cell of a balance at a version, at the pos of the record that brought it: the posting's own, or that of the
   * operator's record that let a posting through which had waited.
   */
  #cell(user: UserId, asset: AssetId, balance: LedgerBalance): Row {
    const own = this.#log.postingAt(user, asset, balance.version)?.place.pos
    const row = balanceRow(user, asset, balance, own)
    const found = this.scylla.balances.foundPos(row)
    const isLater = own !== undefined && found !== null && found > own && this.#log.isOperated(user, found)
    return isLater ? balanceRow(user, asset, balance, found) : row
  }

  /** The balance as it is now: at the newest version, or at the last one before a hole. */
  #balanceNow({ user, asset, top, placed }: Account): LedgerBalance | undefined {
    const now = this.#ledger.balanceAt(user, asset, top.change.version)
    if (now || !placed) return now
    const known = [...placed.keys()].map(version => this.#ledger.balanceAt(user, asset, asVersion(version)))
    return known.reduce((best, each) => (each && (!best || each.version > best.version) ? each : best), undefined)
  }

  #order(update: OrderUpdate): Row {
    const place = this.#log.orderPlace(update.order) ?? nowhere
    return this.#starrocksRows.order(update, place)
  }

  #balance({ change, place }: Posting): Row {
    return this.#starrocksRows.balance(change, place)
  }

  #standsStill({ expected, found }: { readonly expected: Row; readonly found: Row | null }): boolean {
    const [user, asset, , , version] = expected
    if (!this.#parked.has(`${user}`)) return false
    if (!found) return true
    const [, , available, frozen, at] = found
    if (BigInt(at ?? 0) >= BigInt(version ?? 0)) return false
    const then = this.#ledger.balanceAt(userId(BigInt(user ?? 0)), assetId(Number(asset)), asVersion(BigInt(at ?? 0)))
    return then !== undefined && `${then.available}` === available && `${then.frozen}` === frozen
  }
}

/** Whom an operator's record may heal. */
export const operatedUser = (record: LogRecord): UserId | null => {
  switch (record.kind) {
    case 'Correction':
      return record.correction.user
    case 'Redrive':
      return record.user
    case 'Output':
    case 'Reference':
    case 'Session':
    case 'Tick':
    case 'Gap':
    case 'Admit':
    case 'Refused':
    case 'Note':
      return null
  }
}

const nowhere: LedgerPlace = { pos: asPos(0n), time: 0n, index: 0 }
