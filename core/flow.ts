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
  for (const flow of flows) for (const { asset, amount } of flow) add(sums, asset, amount)
  return flowsOf(sums)
}

const add = (sums: Map<AssetId, bigint>, asset: AssetId, amount: bigint): unknown =>
  sums.set(asset, addToSum(sums.get(asset) ?? 0n, amount))

const flowsOf = (sums: ReadonlyMap<AssetId, bigint>): AssetFlow[] => {
  const flows: AssetFlow[] = []
  for (const [asset, amount] of sums) if (amount !== 0n) flows.push({ asset, amount })
  return flows.sort((a, b) => a.asset - b.asset)
}

/** What changes add to the total of each asset, available and frozen together. @throws MoneyOverflow */
export const flowOfChanges = (changes: readonly BalanceChange[]): AssetFlow[] => {
  const sums = new Map<AssetId, bigint>()
  for (const { asset, deltaAvailable, deltaFrozen } of changes) add(sums, asset, deltaAvailable + deltaFrozen)
  return flowsOf(sums)
}

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
