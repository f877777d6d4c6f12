import type { EngineOutput, OrderUpdate, Trade } from '../events.ts'
import type { OrderId, TradeId } from '../ids.ts'
import type { ProblemList } from './problem-list.ts'

type Life = {
  update: OrderUpdate
  /** Quantity of all its trades that the log holds. */
  traded: bigint
  /** Filled by trades that the log lost (a `Gap`), as far as the engine's later updates tell. */
  lost: bigint
  /** A loss was accepted since the last update: the next one says how much was traded in it. */
  unsure: boolean
}

const closed: ReadonlySet<string> = new Set(['Filled', 'Cancelled', 'Rejected', 'Expired'])

/** Orders as their last words, with filled and remaining added up from the trades instead of believed. */
export class NaiveOrders {
  readonly #lives = new Map<OrderId, Life>()
  readonly #trades = new Set<TradeId>()
  readonly #problems: ProblemList
  #lossAccepted = false

  constructor(problems: ProblemList) {
    this.#problems = problems
  }

  take({ orders, trades }: EngineOutput): void {
    const touched = new Set<OrderId>()
    for (const update of orders) {
      this.#say(update)
      touched.add(update.order)
    }
    for (const trade of trades) {
      if (this.#trades.has(trade.trade)) this.#problems.add(`trade ${trade.trade} stands in the log twice`)
      this.#trades.add(trade.trade)
      this.#fill(trade.buyOrder, trade, touched)
      this.#fill(trade.sellOrder, trade, touched)
    }
    for (const order of touched) this.#compare(order)
  }

  /** A loss was accepted: what was open may have traded in it, and orders unheard of may turn up. */
  lose(): void {
    this.#lossAccepted = true
    for (const life of this.#lives.values()) if (!closed.has(life.update.state)) life.unsure = true
  }

  *all(): Generator<OrderUpdate> {
    for (const life of this.#lives.values()) yield counted(life)
  }

  get(order: OrderId): OrderUpdate | undefined {
    const life = this.#lives.get(order)
    return life && counted(life)
  }

  get count(): number {
    return this.#lives.size
  }

  get tradeCount(): number {
    return this.#trades.size
  }

  #say(update: OrderUpdate): void {
    const life = this.#lives.get(update.order)
    if (life) {
      if (closed.has(life.update.state))
        this.#problems.add(`order ${update.order} is ${update.state} after it was ${life.update.state}`)
      life.update = update
      return
    }
    const begins = update.state === 'New' || update.state === 'Rejected'
    if (!begins && !this.#lossAccepted)
      this.#problems.add(`order ${update.order} begins as ${update.state}; it was never New`)
    this.#lives.set(update.order, { update, traded: 0n, lost: 0n, unsure: !begins })
  }

  #fill(order: OrderId, trade: Trade, touched: ReadonlySet<OrderId>): void {
    if (!touched.has(order)) this.#problems.add(`trade ${trade.trade} says nothing of its order ${order}`)
    const life = this.#lives.get(order)
    if (life) life.traded += trade.quantity
  }

  #compare(order: OrderId): void {
    const life = this.#lives.get(order) as Life
    const { update } = life
    if (life.unsure) life.lost = update.filled - life.traded
    life.unsure = false
    const { filled, remaining, state } = counted(life)
    if (update.filled !== filled || update.remaining !== remaining)
      this.#problems.add(
        `order ${order} (${update.state}): its trades leave ${filled} filled and ${remaining} remaining, ` +
          `the engine says ${update.filled} and ${update.remaining}`,
      )
    if (update.state !== state)
      this.#problems.add(
        `order ${order}: with ${filled} of ${update.quantity} filled it is ${state}, not ${update.state}`,
      )
  }
}

const counted = ({ update, traded, lost }: Life): OrderUpdate => {
  const filled = (traded + lost) as OrderUpdate['filled']
  const state = stateOf(update, filled)
  const remaining = (closed.has(state) ? 0n : update.quantity - filled) as OrderUpdate['remaining']
  return { ...update, filled, remaining, state }
}

/** What the trades make of an order; that it was given up, only the engine can say. */
const stateOf = (update: OrderUpdate, filled: bigint): OrderUpdate['state'] => {
  if (update.state === 'Rejected') return 'Rejected'
  if (filled === update.quantity) return 'Filled'
  if (update.state === 'Cancelled' || update.state === 'Expired') return update.state
  return filled === 0n ? 'New' : 'PartiallyFilled'
}
