import type { BalanceChange, OrderUpdate, ReferenceData } from '../../core/events.ts'
import type { AssetId, OrderId, Pos, UserId } from '../../core/ids.ts'
import type { LedgerPlace } from '../../core/oracle/naive-ledger.ts'

export type Account = {
  readonly user: UserId
  readonly asset: AssetId
  top: Posting
  placed: Map<bigint, Posting> | null
}
export type Posting = { readonly change: BalanceChange; readonly place: LedgerPlace }

/**
 * Where the naive ledger's values come from: which record brought a balance's version, an order's last update, the
 * reference data. One entry per account and per order.
 */
export class LogState {
  readonly #accounts = new Map<string, Account>()
  readonly #orders = new Map<OrderId, LedgerPlace>()
  readonly #operated = new Map<UserId, Set<Pos>>()
  readonly #touchedAccounts = new Set<Account>()
  readonly #touchedOrders = new Set<OrderId>()
  reference: { readonly data: ReferenceData; readonly pos: Pos } | null = null

  posting(change: BalanceChange, place: LedgerPlace): void {
    const key = accountKey(change.user, change.asset)
    const posting = { change, place }
    let account = this.#accounts.get(key)
    if (!account) {
      account = { user: change.user, asset: change.asset, top: posting, placed: null }
      this.#accounts.set(key, account)
    } else {
      // Versions that come out of turn are all kept until the hole is filled: a balance may stand at any of them.
      const inTurn = change.version === account.top.change.version + 1n
      if (!inTurn) account.placed ??= new Map([[account.top.change.version, account.top]])
      account.placed?.set(change.version, posting)
      if (change.version > account.top.change.version) account.top = posting
    }
    this.#touchedAccounts.add(account)
  }

  /** An operator's Correction or Redrive of a user, which may bring the user's older records to the cells. */
  operated(user: UserId, pos: Pos): void {
    const places = this.#operated.get(user) ?? new Set()
    places.add(pos)
    this.#operated.set(user, places)
  }

  isOperated(user: UserId, pos: Pos): boolean {
    return this.#operated.get(user)?.has(pos) ?? false
  }

  orderUpdate({ order }: OrderUpdate, place: LedgerPlace): void {
    this.#orders.set(order, place)
    this.#touchedOrders.add(order)
  }

  /** The posting that brought an account's version; undefined when it was not met. */
  postingAt(user: UserId, asset: AssetId, version: bigint): Posting | undefined {
    const account = this.#accounts.get(accountKey(user, asset))
    return account?.top.change.version === version ? account.top : account?.placed?.get(version)
  }

  orderPlace(order: OrderId): LedgerPlace | undefined {
    return this.#orders.get(order)
  }

  accounts(): Iterable<Account> {
    return this.#accounts.values()
  }

  /** The next record begins. */
  forgetTouched(): void {
    this.#touchedAccounts.clear()
    this.#touchedOrders.clear()
  }

  /** Accounts and orders of the record in hand. */
  get touched(): { readonly accounts: ReadonlySet<Account>; readonly orders: ReadonlySet<OrderId> } {
    return { accounts: this.#touchedAccounts, orders: this.#touchedOrders }
  }
}

const accountKey = (user: bigint, asset: number): string => `${user}/${asset}`
