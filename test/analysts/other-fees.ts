import type { BalanceChange, EngineOutput, Trade } from '../../core/events.ts'
import { amount, type AssetId, assetId, type UserId, userId, version } from '../../core/ids.ts'

export type Fees = Pick<Trade, 'buyFee' | 'buyFeeAsset' | 'sellFee' | 'sellFeeAsset'>

/** The same output with other fees: what was netted before is paid back, what is owed now is paid, by changes of their own. */
export const withOtherFees = (
  output: EngineOutput,
  { feesOf, house }: { readonly feesOf: (trade: Trade) => Fees; readonly house: UserId },
): EngineOutput => {
  const changes = [...output.changes]
  const trades = output.trades.map(trade => {
    const other = { ...trade, ...feesOf(trade) }
    for (const [user, was, is] of [
      [trade.buyer, [trade.buyFeeAsset, trade.buyFee], [other.buyFeeAsset, other.buyFee]],
      [trade.seller, [trade.sellFeeAsset, trade.sellFee], [other.sellFeeAsset, other.sellFee]],
    ] as const)
      for (const [asset, paid] of [[was[0], 0n - was[1]] as const, is]) {
        if (paid === 0n) continue
        const change = { ...blank(asset), ref: trade.trade }
        changes.push({ ...change, user, reason: 'Trade', deltaAvailable: amount(-paid) })
        changes.push({ ...change, user: house, reason: 'Fee', deltaAvailable: amount(paid) })
      }
    return other
  })
  return { ...output, trades, changes }
}

const blank = (asset: AssetId) => ({
  ...{ asset, deltaFrozen: amount(0n), available: amount(0n), frozen: amount(0n), version: version(0n) },
})

export const deposit = (user: bigint, asset: number, units: bigint): BalanceChange => ({
  ...blank(assetId(asset)),
  ...{ user: userId(user), reason: 'Deposit', ref: 0n, deltaAvailable: amount(units) },
})

type Account = { available: bigint; frozen: bigint; version: bigint }

/** Every account's state anew, after its changes were moved about. */
export class Accounts {
  readonly #accounts = new Map<string, Account>()

  /** The change as the account's next one. @throws Error when there is not so much */
  next(change: BalanceChange): BalanceChange {
    const key = `${change.user}/${change.asset}`
    const account = this.#accounts.get(key) ?? { available: 0n, frozen: 0n, version: 0n }
    this.#accounts.set(key, account)
    account.available += change.deltaAvailable
    account.frozen += change.deltaFrozen
    account.version++
    if (account.available < 0n || account.frozen < 0n)
      throw new Error(
        `user ${change.user} has not so much of asset ${change.asset}: ${account.available}, ${account.frozen}`,
      )
    const [available, frozen] = [amount(account.available), amount(account.frozen)]
    return { ...change, available, frozen, version: version(account.version) }
  }
}
