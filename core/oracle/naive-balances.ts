import type { BalanceChange } from '../events.ts'
import type { AssetId, UserId, Version } from '../ids.ts'
import type { ProblemList } from './problem-list.ts'

export type LedgerBalance = { readonly available: bigint; readonly frozen: bigint; readonly version: bigint }
/** A version that never came, and how many postings after it wait for it. */
export type LedgerHole = {
  readonly user: UserId
  readonly asset: AssetId
  readonly missing: bigint
  readonly waiting: number
}

type Account = {
  available: bigint
  frozen: bigint
  version: bigint
  /** Postings whose version is ahead, by version. */
  waiting: Map<bigint, BalanceChange> | null
  /** Versions asked for by `watch`, and the balance at each once it was reached. */
  watched: Map<bigint, LedgerBalance | null> | null
}

/** Balances as nothing but the sum of deltas, from zero, in the order of versions. */
export class NaiveBalances {
  readonly #accounts = new Map<UserId, Map<AssetId, Account>>()
  readonly #problems: ProblemList
  readonly #maxWaiting: number
  #waiting = 0

  constructor(problems: ProblemList, maxWaiting: number) {
    this.#problems = problems
    this.#maxWaiting = maxWaiting
  }

  watch(user: UserId, asset: AssetId, version: bigint): void {
    const account = this.#account(user, asset)
    account.watched ??= new Map()
    if (!account.watched.has(version)) account.watched.set(version, version === account.version ? copy(account) : null)
  }

  post(change: BalanceChange): void {
    const account = this.#account(change.user, change.asset)
    const repeated = change.version <= account.version || account.waiting?.has(change.version)
    if (repeated) this.#problems.add(`${named(change)} came before, or is below 1`)
    else if (change.version === account.version + 1n) this.#sum(account, change)
    else this.#wait(account, change)
  }

  at(user: UserId, asset: AssetId, version: Version): LedgerBalance | undefined {
    if (version === 0n) return { available: 0n, frozen: 0n, version: 0n }
    const account = this.#accounts.get(user)?.get(asset)
    if (!account) return undefined
    return account.version === version ? copy(account) : (account.watched?.get(version) ?? undefined)
  }

  *all(): Generator<LedgerBalance & { readonly user: UserId; readonly asset: AssetId }> {
    for (const [user, assets] of this.#accounts)
      for (const [asset, account] of assets) if (account.version > 0n) yield { user, asset, ...copy(account) }
  }

  *holes(): Generator<LedgerHole> {
    for (const [user, assets] of this.#accounts)
      for (const [asset, { version, waiting }] of assets)
        if (waiting && waiting.size > 0) yield { user, asset, missing: version + 1n, waiting: waiting.size }
  }

  #account(user: UserId, asset: AssetId): Account {
    let assets = this.#accounts.get(user)
    if (!assets) this.#accounts.set(user, (assets = new Map()))
    let account = assets.get(asset)
    if (!account)
      assets.set(asset, (account = { available: 0n, frozen: 0n, version: 0n, waiting: null, watched: null }))
    return account
  }

  #wait(account: Account, change: BalanceChange): void {
    if (this.#waiting >= this.#maxWaiting) {
      this.#problems.add(
        `${named(change)} can't wait for the versions before it: ${this.#waiting} postings wait already`,
      )
      return
    }
    account.waiting ??= new Map()
    account.waiting.set(change.version, change)
    this.#waiting++
  }

  /** Adds a posting, and then those that waited for it. */
  #sum(account: Account, first: BalanceChange): void {
    for (let change: BalanceChange | undefined = first; change; ) {
      account.available += change.deltaAvailable
      account.frozen += change.deltaFrozen
      account.version = change.version
      if (account.available !== change.available || account.frozen !== change.frozen)
        this.#problems.add(
          `${named(change)}: the sum of all deltas is ${account.available} available and ${account.frozen} frozen, ` +
            `the engine says ${change.available} and ${change.frozen}`,
        )
      if (account.available < 0n || account.frozen < 0n)
        this.#problems.add(`${named(change)}: ${account.available} available, ${account.frozen} frozen: below zero`)
      if (account.watched?.has(account.version)) account.watched.set(account.version, copy(account))
      change = account.waiting?.get(account.version + 1n)
      if (change && account.waiting?.delete(change.version)) this.#waiting--
    }
  }
}

const copy = ({ available, frozen, version }: Account): LedgerBalance => ({ available, frozen, version })
const named = (change: BalanceChange): string =>
  `posting of user ${change.user}, asset ${change.asset}, version ${change.version} (${change.reason} ${change.ref})`
