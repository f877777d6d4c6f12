import type { OrderState, ReferenceData } from '../../core/events.ts'
import type { AccountRow } from './book/accounts.ts'
import type { OpenOrder } from './book/open-order.ts'
import { fromBigintJson, toBigintJson } from './bigint-json.ts'
import type { MatchingEngine } from './matching-engine.ts'

type EngineSnapshot = {
  readonly timeUs: bigint
  readonly reference: ReferenceData | null
  readonly nextOrder: bigint
  readonly nextTrade: bigint
  readonly nextTransfer: bigint
  readonly orderStates: Record<OrderState, bigint>
  readonly supply: readonly (readonly [number, bigint])[]
  readonly accounts: readonly AccountRow[]
  /** Oldest first, which restores time priority. */
  readonly orders: readonly OpenOrder[]
}

/** The whole state of an engine as text. Accounts and orders are sorted, so equal states give equal text. */
export const takeSnapshot = ({ ledger, accounts, orders }: MatchingEngine): string => {
  const snapshot: EngineSnapshot = {
    ...ledger,
    supply: [...ledger.supply].sort(([a], [b]) => a - b),
    accounts: accounts.rows(),
    orders: orders.all(),
  }
  return toBigintJson(snapshot)
}

/** Puts a fresh engine into the state that `takeSnapshot` wrote. */
export const restoreSnapshot = (engine: MatchingEngine, text: string): void => {
  const { reference, supply, accounts, orders, ...counters } = fromBigintJson(text) as EngineSnapshot
  Object.assign(engine.ledger, counters)
  if (reference) engine.setReference(reference)
  for (const [asset, units] of supply) engine.ledger.supply.set(asset, units)
  for (const row of accounts) engine.accounts.restore(row)
  for (const order of orders) engine.orders.add(order)
}
