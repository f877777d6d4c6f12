import type { LogRecord, OrderUpdate } from '../../core/events.ts'
import {
  type AssetId,
  assetId,
  type OrderId,
  type Pos,
  pos as asPos,
  type UserId,
  userId,
  version as asVersion,
} from '../../core/ids.ts'
import type { LedgerBalance } from '../../core/oracle/naive-balances.ts'
import type { LedgerPlace, NaiveLedger } from '../../core/oracle/naive-ledger.ts'
import type { Account, LogState, Posting } from './log-state.ts'
import type { Row } from './row-shape.ts'
import {
  balanceRow,
  dayOf,
  openOrderRow,
  referenceRows as scyllaReference,
  rowOf,
  scyllaStates,
} from './scylla-shapes.ts'
import { StateTable } from './state-table.ts'
import { type StarRocksRows, starrocksStates } from './starrocks-shapes.ts'
import type { Tally } from './tally.ts'

const open: ReadonlySet<OrderUpdate['state']> = new Set(['New', 'PartiallyFilled'])

/** Every table whose rows change, in both stores, and what the log makes of them at the barrier and after it. */
export class States {
  readonly scylla: Readonly<Record<keyof typeof scyllaStates, StateTable>>
  readonly starrocks: Readonly<Record<keyof typeof starrocksStates, StateTable>>
  readonly #ledger: NaiveLedger
  readonly #log: LogState
  readonly #starrocksRows: StarRocksRows
  readonly #parked = new Set<string>()
  readonly #days = new Set<string>()

  constructor(options: {
    readonly ledger: NaiveLedger
    readonly log: LogState
    readonly starrocksRows: StarRocksRows
    readonly barrier: Pos
    readonly tally: Tally
  }) {
    const { ledger, log, starrocksRows, ...rest } = options
    this.#ledger = ledger
    this.#log = log
    this.#starrocksRows = starrocksRows
    const excused = (rows: { readonly expected: Row; readonly found: Row | null }) => this.#standsStill(rows)
    const table = (shape: StateTable['shape']): StateTable => new StateTable({ shape, ...rest })
    this.scylla = {
      balances: new StateTable({ shape: scyllaStates.balances, ...rest, excused }),
      historyDays: table(scyllaStates.historyDays),
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

  /** The users of a record up to the barrier have history on its day. */
  historyUntilBarrier(users: Iterable<UserId>, pos: Pos): void {
    for (const user of users) this.#days.add(`${user}/${dayOf(pos)}`)
  }

  /** The ledger has taken everything up to the barrier. */
  atBarrier(): void {
    for (const { user, asset, ...balance } of this.#ledger.balances())
      this.scylla.balances.expected(this.#cell(user, asset, balance))
    for (const { top } of this.#log.accounts()) this.starrocks.balances.expected(this.#balance(top))
    for (const update of this.#ledger.orders()) {
      this.starrocks.orders.expected(this.#order(update))
      if (open.has(update.state)) this.scylla.openOrders.expected(this.#openOrder(update))
    }
    for (const day of this.#days) {
      const [user, number] = day.split('/')
      this.scylla.historyDays.expected(rowOf(scyllaStates.historyDays, { user_id: user, day: number }))
    }
    const { reference } = this.#log
    if (reference) {
      for (const [table, row] of scyllaReference(reference.data, reference.pos)) this.scylla[table].expected(row)
      for (const [table, row] of this.#starrocksRows.reference(reference.data, reference.pos))
        this.starrocks[table].expected(row)
    }
    for (const table of this.#tables()) table.endOfBarrier()
  }

  /** The ledger has taken a record after the barrier. */
  afterBarrier(record: LogRecord, users: Iterable<UserId>): void {
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
    for (const order of orders) this.#orderChanged(order, pos)
    for (const user of users)
      this.scylla.historyDays.changed(rowOf(scyllaStates.historyDays, { user_id: user, day: dayOf(pos) }), pos)
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

  #orderChanged(order: OrderId, pos: Pos): void {
    const update = this.#ledger.order(order)
    if (!update) return
    this.starrocks.orders.changed(this.#order(update), pos)
    if (open.has(update.state)) this.scylla.openOrders.changed(this.#openOrder(update), pos)
    else this.scylla.openOrders.removed(this.#openOrder(update))
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

  #openOrder(update: OrderUpdate): Row {
    return openOrderRow(update, this.#log.orderPlace(update.order) ?? nowhere)
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
