import type { Side } from '../../../core/events.ts'
import type { Account } from '../book/accounts.ts'
import type { OpenOrder } from '../book/open-order.ts'
import type { EngineCommand } from '../command.ts'

/** What a flow may look at when it decides on the next command. */
export type EngineView = {
  account(user: bigint, asset: number): Readonly<Account>
  order(order: bigint): OpenOrder | undefined
  orderOfClient(client: bigint): OpenOrder | undefined
  ordersOf(user: bigint): ReadonlyMap<bigint, OpenOrder>
  best(symbol: number, side: Side): OpenOrder | null
}

/**
 * Where commands come from. A flow is deterministic in (its settings, its cursor, the engine's state) and its cursor
 * goes into the journal with each command, so that a restarted engine goes on with the very next one.
 */
export type Flow = {
  /** The engine's time of the next command, in µs; null when the flow is over. Looks at nothing but the cursor. */
  nextTimeUs(): bigint | null
  /** The next command; null when the flow is over. Moves the cursor past it. */
  next(view: EngineView): EngineCommand | null
  /** Plain JSON: where the flow stands. */
  cursor(): unknown
  resume(cursor: unknown): void
  /** How many orders were submitted so far. */
  orders(): number
  /** How many it will have submitted in the end; null when the file alone knows. */
  ordersInAll(): number | null
}
