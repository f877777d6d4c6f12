import type { AssetFlow, BalanceChange, ChangeReason, CorrectionBody, EngineOutput } from './events.ts'
import type { AssetId } from './ids.ts'
import { addToSum } from './money.ts'

/** Money that enters or leaves the exchange; every other change only moves it between users. */
export const isExternal = (reason: ChangeReason): boolean => {
  switch (reason) {
    case 'Deposit':
    case 'Withdrawal':
    case 'Correction':
      return true
    case 'Reserve':
    case 'Release':
    case 'Trade':
    case 'Fee':
      return false
  }
}

/** Flows added up per asset, ascending by asset, zeros left out. @throws MoneyOverflow beyond 38 digits */
export const mergeFlows = (...flows: readonly (readonly AssetFlow[])[]): AssetFlow[] => {
  const sums = new Map<AssetId, bigint>()
  for (const flow of flows)
    for (const { asset, amount } of flow) sums.set(asset, addToSum(sums.get(asset) ?? 0n, amount))
  return [...sums]
    .filter(([, amount]) => amount !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([asset, amount]) => ({ asset, amount }))
}

/** What changes add to the total of each asset, available and frozen together. @throws MoneyOverflow */
export const flowOfChanges = (changes: readonly BalanceChange[]): AssetFlow[] =>
  mergeFlows(changes.map(({ asset, deltaAvailable, deltaFrozen }) => ({ asset, amount: deltaAvailable + deltaFrozen })))

/** What an output's changes with an external reason add to the total of each asset. @throws MoneyOverflow */
export const externalFlow = (output: EngineOutput): AssetFlow[] =>
  flowOfChanges(output.changes.filter(change => isExternal(change.reason)))

/**
 * What all of an output's changes add to the total of each asset. It equals the external flow of an output that
 * passes `checkOutput`; for one that an operator admitted it is the flow that a barrier must count.
 * @throws MoneyOverflow
 */
export const totalFlow = (output: EngineOutput): AssetFlow[] => flowOfChanges(output.changes)

/** What a `Correction` adds to the total of its asset. */
export const correctionFlow = ({ asset, deltaAvailable, deltaFrozen }: CorrectionBody): AssetFlow[] =>
  mergeFlows([{ asset, amount: deltaAvailable + deltaFrozen }])
