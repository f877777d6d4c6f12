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
  /** Corrections that did not lead on from the balance when they came, in the log's order. */
  corrections: BalanceChange[] | null
  /** Versions asked for by `watch`, and the balance at each once it was reached. */
  watched: Map<bigint, LedgerBalance | null> | null
}

/**
 * Balances as nothing but the sum of deltas, from zero, in the order of versions. Only a Correction may pass over
 * versions: those that are missing before it.
 */
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
    else if (change.version === account.version + 1n) this.#follow(account, change)
    else if (this.#mayWait(change)) {
      account.waiting ??= new Map()
      account.waiting.set(change.version, change)
      const corrected = this.#correctionOn(account)
      if (corrected) this.#follow(account, corrected)
    }
  }

  /** A Correction: its deltas lead from the balance that it replaces to its values, over any missing versions. */
  correct(change: BalanceChange): void {
    const account = this.#account(change.user, change.asset)
    if (change.version <= account.version) this.#problems.add(`${named(change)} came before, or is below 1`)
    else if (leadsOn(account, change)) this.#follow(account, change)
    else if (this.#mayWait(change)) (account.corrections ??= []).push(change)
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

  /** Corrections that no balance has taken: they count as external flow, and nobody holds it. */
  *unfit(): Generator<string> {
    for (const [user, assets] of this.#accounts)
      for (const [asset, { available, frozen, version, corrections }] of assets)
        for (const correction of corrections ?? [])
          yield `Correction of user ${user}, asset ${asset} to version ${correction.version} does not lead on from ` +
            `version ${version} (${available} available, ${frozen} frozen), or passes over a version that the log has`
  }

  #account(user: UserId, asset: AssetId): Account {
    let assets = this.#accounts.get(user)
    if (!assets) this.#accounts.set(user, (assets = new Map()))
    let account = assets.get(asset)
    if (!account) assets.set(asset, (account = newAccount()))
    return account
  }

  #mayWait(change: BalanceChange): boolean {
    if (this.#waiting < this.#maxWaiting) {
      this.#waiting++
      return true
    }
    this.#problems.add(`${named(change)} can't wait for the versions before it: ${this.#waiting} postings wait already`)
    return false
  }

  /** Adds a posting, and then those that waited for it. */
  #follow(account: Account, first: BalanceChange): void {
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
      change ??= this.#correctionOn(account)
    }
  }

  /** The first Correction kept that leads on to what waits: one that nobody waits for stays where it is. */
  #correctionOn(account: Account): BalanceChange | undefined {
    if (!account.corrections || !account.waiting || account.waiting.size === 0) return undefined
    const index = account.corrections.findIndex(each => leadsOn(account, each))
    const [found] = index < 0 ? [] : account.corrections.splice(index, 1)
    if (found) this.#waiting--
    return found
  }
}

const newAccount = (): Account => ({
  available: 0n,
  frozen: 0n,
  version: 0n,
  waiting: null,
  corrections: null,
  watched: null,
})

/** Its deltas fit, and it passes over no version that came: that one's deltas would count twice. */
const leadsOn = (account: Account, { version, ...change }: BalanceChange): boolean =>
  version > account.version &&
  change.available >= 0n &&
  change.frozen >= 0n &&
  account.available + change.deltaAvailable === change.available &&
  account.frozen + change.deltaFrozen === change.frozen &&
  [...(account.waiting?.keys() ?? [])].every(waits => waits > version)

const copy = ({ available, frozen, version }: Account): LedgerBalance => ({ available, frozen, version })
const named = (change: BalanceChange): string =>
  `posting of user ${change.user}, asset ${change.asset}, version ${change.version} (${change.reason} ${change.ref})`
