import type {
  BalanceChange,
  EngineOutput,
  OrderState,
  OrderUpdate,
  ReferenceData,
  Trade,
  TradedSymbol,
} from '../../core/events.ts'
import { Accounts, type Posting } from './book/accounts.ts'
import { newOrder, type OpenOrder, remainingOf, updateOf } from './book/open-order.ts'
import { OpenOrders } from './book/open-orders.ts'
import type { EngineCommand, PlaceOrder } from './command.ts'
import { match } from './match.ts'

/** Maker and taker fees in hundredths of a percent of what the user receives. */
export type Fees = { readonly makerBp: bigint; readonly takerBp: bigint }

/** The version of an account's change. */
export type ChangeName = { readonly user: bigint; readonly asset: number; readonly version: bigint }

/** What one command did, in the making: the lists of the output, and the accounts behind them. */
export type Draft = {
  readonly orders: OrderUpdate[]
  readonly trades: Trade[]
  readonly changes: BalanceChange[]
}

export type Executed =
  | { readonly kind: 'output'; readonly output: EngineOutput }
  /** The engine did nothing: there is no output. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Counters and tables beside accounts and orders. */
export type Ledger = {
  timeUs: bigint
  reference: ReferenceData | null
  nextOrder: bigint
  nextTrade: bigint
  nextTransfer: bigint
  /** How many orders stand in each state now. */
  readonly orderStates: Record<OrderState, bigint>
  /** Deposits minus withdrawals per asset: what all accounts together must hold. */
  readonly supply: Map<number, bigint>
}

/** No asset is ever supplied beyond this, so no balance can outgrow an int64. */
export const maxSupply = 2n ** 62n
/** No order is worth more than this in quote smallest units, nor larger in base smallest units. */
export const maxOrderValue = 10n ** 17n

/**
 * A matching engine: price–time priority, its own money. Deterministic: the same commands give the same outputs,
 * whatever the clock on the wall says. It does no I/O; a thrown error is a bug in it.
 */
export class MatchingEngine {
  readonly accounts = new Accounts()
  readonly orders = new OpenOrders()
  readonly fees: Fees
  /** A fault on purpose: these changes move money in the engine's books and stand in no output. */
  readonly #unsaid: readonly ChangeName[]
  readonly ledger: Ledger = {
    timeUs: 0n,
    reference: null,
    nextOrder: 1n,
    nextTrade: 1n,
    nextTransfer: 1n,
    orderStates: { New: 0n, PartiallyFilled: 0n, Filled: 0n, Cancelled: 0n, Rejected: 0n, Expired: 0n },
    supply: new Map(),
  }
  #symbols: ReadonlyMap<number, TradedSymbol> = new Map()
  #draft: Draft = emptyDraft()

  constructor({ fees, unsaid = [] }: { readonly fees: Fees; readonly unsaid?: readonly ChangeName[] }) {
    this.fees = fees
    this.#unsaid = unsaid
  }

  get house(): bigint {
    if (!this.ledger.reference) throw new Error('the engine has no reference data yet')
    return this.ledger.reference.house
  }

  symbol(symbol: number): TradedSymbol | undefined {
    return this.#symbols.get(symbol)
  }

  /** Sets the reference data; `execute` emits it, a restored snapshot only sets it. */
  setReference(reference: ReferenceData): void {
    this.ledger.reference = reference
    this.#symbols = new Map(reference.symbols.map(symbol => [symbol.symbol, symbol]))
  }

  execute(command: EngineCommand): Executed {
    if (command.timeUs < this.ledger.timeUs)
      throw new Error(`the engine's clock would go back from ${this.ledger.timeUs} to ${command.timeUs} µs`)
    this.#draft = emptyDraft()
    const refusal = this.#apply(command)
    if (refusal !== null) return { kind: 'refused', reason: refusal }
    this.ledger.timeUs = command.timeUs
    const reference = command.kind === 'Reference' ? command.reference : null
    return { kind: 'output', output: { time: command.timeUs, reference, ...this.#draft } }
  }

  #apply(command: EngineCommand): string | null {
    switch (command.kind) {
      case 'Reference':
        this.setReference(command.reference)
        return null
      case 'Deposit':
        return this.#transfer(command, command.amount)
      case 'Withdraw':
        return this.#transfer(command, -command.amount)
      case 'Place':
        return this.#place(command)
      case 'Cancel':
        return this.#onOwn(command, order => this.close(order, 'Cancelled', 'cancelled by user'))
      case 'Reduce':
        return this.#reduce(command)
      case 'Expire': {
        const order = this.orders.get(command.order)
        if (!order) return `order ${command.order} is not open`
        this.close(order, 'Expired', 'good till time')
        return null
      }
    }
  }

  #transfer({ user, asset, amount }: EngineCommand & { kind: 'Deposit' | 'Withdraw' }, delta: bigint): string | null {
    if (amount <= 0n) return `amount ${amount} is not above zero`
    if (!this.ledger.reference?.assets.some(known => known.asset === asset)) return `asset ${asset} is unknown`
    const supply = (this.ledger.supply.get(asset) ?? 0n) + delta
    if (supply > maxSupply) return `asset ${asset} would be supplied beyond ${maxSupply}`
    const { available } = this.accounts.of(user, asset)
    if (available + delta < 0n) return `user ${user} has ${available} of asset ${asset}, not ${amount}`
    this.ledger.supply.set(asset, supply)
    const reason = delta > 0n ? 'Deposit' : 'Withdrawal'
    this.post({ user, asset, available: delta, frozen: 0n, reason, ref: this.ledger.nextTransfer++ })
    return null
  }

  #place(command: PlaceOrder): null {
    const order = newOrder(this.ledger.nextOrder++, command)
    const traded = this.#symbols.get(order.symbol)
    const rejection = traded ? this.#rejection(order, traded) : 'unknown symbol'
    if (rejection !== null || !traded) {
      this.show(order, 'Rejected', rejection ?? '', 'first')
      return null
    }
    this.show(order, 'New', '', 'first')
    this.#freeze(order, reserveOf(order, traded))
    const { spent, end } = match(this, order, traded)
    const rests = end.kind === 'rests'
    const keeps = rests ? reserveOf(order, traded) : 0n
    const reserved = order.type === 'Market' && order.side === 'Buy' ? 0n : reserveOf(order, traded, order.quantity)
    if (reserved > 0n) this.#thaw(order, reserved - spent - keeps)
    if (rests) this.orders.add(order)
    if (end.kind === 'closed') this.show(order, end.state, end.reason, 'again')
    else if (order.filled > 0n) this.show(order, 'PartiallyFilled', '', 'again')
    return null
  }

  #rejection(order: OpenOrder, traded: TradedSymbol): string | null {
    if (order.quantity <= 0n || order.quantity % traded.lot !== 0n) return 'bad lot'
    if (order.type === 'Limit' ? order.price <= 0n : order.price !== 0n) return 'bad price'
    if (order.quantity > maxOrderValue || (order.price * order.quantity) / traded.lot > maxOrderValue)
      return 'too large'
    const needed = reserveOf(order, traded)
    const { available } = this.accounts.of(order.user, order.side === 'Buy' ? traded.quote : traded.base)
    return available < needed || available === 0n ? 'insufficient funds' : null
  }

  #reduce(command: EngineCommand & { kind: 'Reduce' }): string | null {
    return this.#onOwn(command, order => {
      const traded = this.tradedOf(order)
      if (command.by <= 0n || command.by % traded.lot !== 0n) return `${command.by} is not a multiple of the lot`
      if (command.by >= remainingOf(order)) return this.close(order, 'Cancelled', 'reduced to nothing')
      const before = reserveOf(order, traded)
      order.quantity -= command.by
      this.#thaw(order, before - reserveOf(order, traded))
      this.show(order, order.state, '', 'again')
      return null
    })
  }

  #onOwn(
    { user, order }: { readonly user: bigint; readonly order: bigint },
    act: (order: OpenOrder) => string | null,
  ): string | null {
    const found = this.orders.get(order)
    return found?.user === user ? act(found) : `order ${order} of user ${user} is not open`
  }

  tradedOf(order: OpenOrder): TradedSymbol {
    const traded = this.#symbols.get(order.symbol)
    if (!traded) throw new Error(`order ${order.order} rests in symbol ${order.symbol}, which is unknown`)
    return traded
  }

  /** Takes a resting order out of its book and gives back what it still reserves. */
  close(order: OpenOrder, state: 'Cancelled' | 'Expired', reason: string): null {
    this.#thaw(order, reserveOf(order, this.tradedOf(order)))
    this.orders.remove(order)
    this.show(order, state, reason, 'again')
    return null
  }

  /** Puts the order's new state into the output. */
  show(order: OpenOrder, state: OrderState, reason: string, time: 'first' | 'again'): void {
    if (time === 'again') this.ledger.orderStates[order.state] -= 1n
    this.ledger.orderStates[state] += 1n
    order.state = state
    this.#draft.orders.push(updateOf(order, reason))
  }

  /** Moves money and puts the change into the output. */
  post(posting: Posting): void {
    const change = this.accounts.post(posting)
    if (change && !this.#unsaid.some(each => isOf(each, change))) this.#draft.changes.push(change)
  }

  addTrade(trade: Trade): void {
    this.#draft.trades.push(trade)
  }

  #freeze(order: OpenOrder, units: bigint): void {
    const asset = reservedAsset(order, this.tradedOf(order))
    this.post({ user: order.user, asset, available: -units, frozen: units, reason: 'Reserve', ref: order.order })
  }

  #thaw(order: OpenOrder, units: bigint): void {
    const asset = reservedAsset(order, this.tradedOf(order))
    this.post({ user: order.user, asset, available: units, frozen: -units, reason: 'Release', ref: order.order })
  }
}

const isOf = ({ user, asset, version }: ChangeName, change: BalanceChange): boolean =>
  change.user === user && change.asset === asset && change.version === version

const emptyDraft = (): Draft => ({ orders: [], trades: [], changes: [] })

const reservedAsset = ({ side }: OpenOrder, traded: TradedSymbol): number =>
  side === 'Buy' ? traded.quote : traded.base

/** What an order keeps frozen for `units` of base: exact, since quantities are multiples of the lot. */
const reserveOf = (order: OpenOrder, traded: TradedSymbol, units = remainingOf(order)): bigint => {
  if (order.side === 'Sell') return units
  return order.type === 'Market' ? 0n : (order.price * units) / traded.lot
}
