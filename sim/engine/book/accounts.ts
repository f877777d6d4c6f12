import type { BalanceChange, ChangeReason } from '../../../core/events.ts'
import { amount, assetId, userId, version } from '../../../core/ids.ts'

export type Account = { available: bigint; frozen: bigint; version: bigint }

/** A movement on one account; `ref` is the trade, order or transfer behind it. */
export type Posting = {
  readonly user: bigint
  readonly asset: number
  readonly available: bigint
  readonly frozen: bigint
  readonly reason: ChangeReason
  readonly ref: bigint
}

export type AccountRow = Account & { readonly user: bigint; readonly asset: number }

const nothing: Readonly<Account> = { available: 0n, frozen: 0n, version: 0n }

/** The engine's own books of money: what each user has of each asset, and how often that changed. */
export class Accounts {
  readonly #byUser = new Map<bigint, Map<number, Account>>()

  of(user: bigint, asset: number): Readonly<Account> {
    return this.#byUser.get(user)?.get(asset) ?? nothing
  }

  /**
   * Moves money on one account and returns the change with the values after it; null when nothing moves.
   * Throws when a balance would fall below zero: every caller has checked before, so that is a bug of the engine.
   */
  post(posting: Posting): BalanceChange | null {
    if (posting.available === 0n && posting.frozen === 0n) return null
    const account = this.#open(posting.user, posting.asset)
    account.available += posting.available
    account.frozen += posting.frozen
    account.version += 1n
    if (account.available < 0n || account.frozen < 0n)
      throw new Error(
        `user ${posting.user} asset ${posting.asset}: ${posting.reason} ${posting.ref} leaves ` +
          `available ${account.available}, frozen ${account.frozen}`,
      )
    return {
      user: userId(posting.user),
      asset: assetId(posting.asset),
      deltaAvailable: amount(posting.available),
      deltaFrozen: amount(posting.frozen),
      available: amount(account.available),
      frozen: amount(account.frozen),
      version: version(account.version),
      reason: posting.reason,
      ref: posting.ref,
    }
  }

  /** Every account that was ever touched, by user, then asset. */
  rows(): AccountRow[] {
    const rows: AccountRow[] = []
    for (const [user, assets] of this.#byUser)
      for (const [asset, account] of assets) rows.push({ user, asset, ...account })
    return rows.sort((a, b) => (a.user === b.user ? a.asset - b.asset : a.user < b.user ? -1 : 1))
  }

  /** Puts an account where a snapshot says it was. */
  restore({ user, asset, available, frozen, version }: AccountRow): void {
    Object.assign(this.#open(user, asset), { available, frozen, version })
  }

  #open(user: bigint, asset: number): Account {
    let assets = this.#byUser.get(user)
    if (!assets) this.#byUser.set(user, (assets = new Map()))
    let account = assets.get(asset)
    if (!account) assets.set(asset, (account = { ...nothing }))
    return account
  }
}
