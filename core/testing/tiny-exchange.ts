import type { BalanceChange, ChangeReason, EngineOutput, OrderState, OrderUpdate, Side, Trade } from '../events.ts'
import { amount, assetId, orderId, price, symbolId, tradeId, userId, version } from '../ids.ts'

/** One input of the tiny exchange; numbers that don't fit (an order that isn't there) make an empty output. */
export type TinyCommand =
  | { readonly kind: 'deposit' | 'withdraw'; readonly user: number; readonly asset: number; readonly amount: number }
  | {
      readonly kind: 'place'
      readonly user: number
      readonly side: Side
      readonly price: number
      readonly lots: number
      readonly life: 'rest' | 'now' | 'market'
    }
  | { readonly kind: 'cancel' | 'expire'; readonly nth: number }
  | { readonly kind: 'reduce'; readonly nth: number; readonly lots: number }

type Purse = { available: bigint; frozen: bigint; version: bigint }
type Resting = { update: OrderUpdate; reserved: bigint }

export const [base, quote, house, lot] = [assetId(1), assetId(2), userId(9n), 10n]
const onePercent = (value: bigint): bigint => value / 100n

/**
 * An exchange of one symbol for tests: its own arithmetic, none of core's. It follows the conventions of
 * docs/protocol.md: amounts net of fees, one fee change per trade and asset, one update per order after all trades.
 */
export class TinyExchange {
  readonly #purses = new Map<string, Purse>()
  readonly #book: Resting[] = []
  #orders = 0n
  #trades = 0n
  #time = 1_700_000_000_000_000n
  #changes: BalanceChange[] = []

  take(command: TinyCommand): EngineOutput {
    this.#changes = []
    const done = this.#act(command)
    this.#time += 1000n
    return { time: this.#time, reference: null, orders: done.orders, trades: done.trades, changes: this.#changes }
  }

  #act(command: TinyCommand): { orders: OrderUpdate[]; trades: Trade[] } {
    const nothing = { orders: [], trades: [] }
    switch (command.kind) {
      case 'deposit':
        this.#post(BigInt(command.user), command.asset, 'Deposit', 0n, BigInt(command.amount), 0n)
        return nothing
      case 'withdraw': {
        const wanted = BigInt(command.amount)
        if (this.#purse(BigInt(command.user), command.asset).available >= wanted)
          this.#post(BigInt(command.user), command.asset, 'Withdrawal', 0n, -wanted, 0n)
        return nothing
      }
      case 'place':
        return this.#place(command)
      case 'cancel':
      case 'expire': {
        const found = this.#book[command.nth]
        return found
          ? { orders: [this.#close(found, command.kind === 'cancel' ? 'Cancelled' : 'Expired')], trades: [] }
          : nothing
      }
      case 'reduce': {
        const found = this.#book[command.nth]
        const by = BigInt(command.lots) * lot
        if (!found || by >= found.update.remaining) return nothing
        const { update } = found
        const freed = update.side === 'Sell' ? by : (by / lot) * update.price
        found.reserved -= freed
        this.#post(update.user, update.side === 'Sell' ? base : quote, 'Release', update.order, freed, -freed)
        found.update = { ...update, quantity: amount(update.quantity - by), remaining: amount(update.remaining - by) }
        return { orders: [found.update], trades: [] }
      }
    }
  }

  #place({ user: who, side, price: level, lots, life }: TinyCommand & { kind: 'place' }): {
    orders: OrderUpdate[]
    trades: Trade[]
  } {
    const owner = BigInt(who)
    const quantity = BigInt(lots) * lot
    const fresh: OrderUpdate = {
      order: orderId(++this.#orders),
      user: userId(owner),
      symbol: symbolId(7),
      side,
      type: life === 'market' ? 'Market' : 'Limit',
      timeInForce: life === 'rest' ? 'GoodTillCancel' : 'ImmediateOrCancel',
      price: price(life === 'market' ? 0n : BigInt(level)),
      quantity: amount(quantity),
      filled: amount(0n),
      remaining: amount(quantity),
      state: 'New',
      reason: '',
    }
    const asset = side === 'Sell' ? base : quote
    const needed = side === 'Sell' ? quantity : life === 'market' ? 0n : BigInt(lots * level)
    if (this.#purse(owner, asset).available < needed)
      return { orders: [{ ...fresh, remaining: amount(0n), state: 'Rejected', reason: 'funds' }], trades: [] }
    if (needed > 0n) this.#post(owner, asset, 'Reserve', fresh.order, -needed, needed)
    return this.#match({ update: fresh, reserved: needed }, life)
  }

  #match(taker: Resting, life: 'rest' | 'now' | 'market'): { orders: OrderUpdate[]; trades: Trade[] } {
    const trades: Trade[] = []
    const touched = new Set<Resting>()
    const fresh = taker.update
    const said: OrderUpdate[] = []
    for (let maker = this.#best(fresh); maker && taker.update.remaining > 0n; maker = this.#best(fresh)) {
      if (maker.update.user === fresh.user) {
        touched.delete(maker)
        said.push(this.#close(maker, 'Cancelled'))
        continue
      }
      const wanted = taker.update.remaining < maker.update.remaining ? taker.update.remaining : maker.update.remaining
      const affordable =
        fresh.type === 'Market' && fresh.side === 'Buy'
          ? (this.#purse(fresh.user, quote).available / maker.update.price) * lot
          : wanted
      const size = wanted < affordable ? wanted : affordable
      if (size === 0n) break
      trades.push(this.#trade(taker, maker, size))
      touched.add(maker)
      if (maker.update.remaining === 0n) this.#book.splice(this.#book.indexOf(maker), 1)
    }
    said.push(...[...touched].map(maker => maker.update))
    if (taker.update.remaining > 0n && life === 'rest') this.#book.push(taker)
    else if (taker.update.remaining > 0n) taker.update = this.#close(taker, life === 'now' ? 'Expired' : 'Cancelled')
    else this.#release(taker)
    return { orders: taker.update === fresh ? [fresh, ...said] : [fresh, ...said, taker.update], trades }
  }

  #best({ side, type, price: limit }: OrderUpdate): Resting | undefined {
    const facing = this.#book.filter(
      ({ update }) =>
        update.side !== side && (type === 'Market' || (side === 'Buy' ? update.price <= limit : update.price >= limit)),
    )
    const better = (a: bigint, b: bigint): boolean => (side === 'Buy' ? a < b : a > b)
    return facing.reduce<Resting | undefined>(
      (found, each) => (!found || better(each.update.price, found.update.price) ? each : found),
      undefined,
    )
  }

  #trade(taker: Resting, maker: Resting, size: bigint): Trade {
    const [buy, sell] = taker.update.side === 'Buy' ? [taker, maker] : [maker, taker]
    const cost = (size / lot) * maker.update.price
    const trade: Trade = {
      trade: tradeId(++this.#trades),
      symbol: symbolId(7),
      price: maker.update.price,
      quantity: amount(size),
      quote: amount(cost),
      buyer: buy.update.user,
      seller: sell.update.user,
      buyOrder: buy.update.order,
      sellOrder: sell.update.order,
      taker: taker.update.side,
      buyFee: amount(onePercent(size)),
      buyFeeAsset: base,
      sellFee: amount(onePercent(cost)),
      sellFeeAsset: quote,
    }
    const [buyer, seller, ref] = [trade.buyer, trade.seller, trade.trade]
    const ofFrozen = buy.update.type === 'Limit'
    this.#post(buyer, quote, 'Trade', ref, ofFrozen ? 0n : -cost, ofFrozen ? -cost : 0n)
    this.#post(buyer, base, 'Trade', ref, size - trade.buyFee, 0n)
    this.#post(seller, base, 'Trade', ref, 0n, -size)
    this.#post(seller, quote, 'Trade', ref, cost - trade.sellFee, 0n)
    if (trade.buyFee > 0n) this.#post(house, base, 'Fee', ref, trade.buyFee, 0n)
    if (trade.sellFee > 0n) this.#post(house, quote, 'Fee', ref, trade.sellFee, 0n)
    if (ofFrozen) buy.reserved -= cost
    sell.reserved -= size
    this.#fill(buy, size)
    this.#fill(sell, size)
    return trade
  }

  #fill(order: Resting, size: bigint): void {
    const [filled, remaining] = [order.update.filled + size, order.update.remaining - size]
    const state: OrderState = remaining === 0n ? 'Filled' : 'PartiallyFilled'
    order.update = { ...order.update, filled: amount(filled), remaining: amount(remaining), state }
    const needed = order.update.side === 'Sell' ? remaining : (remaining / lot) * order.update.price
    this.#release(order, needed)
  }

  #close(order: Resting, state: OrderState): OrderUpdate {
    if (this.#book.includes(order)) this.#book.splice(this.#book.indexOf(order), 1)
    this.#release(order)
    order.update = { ...order.update, remaining: amount(0n), state, reason: 'closed' }
    return order.update
  }

  /** Frees what an order no longer needs. */
  #release(order: Resting, needed = 0n): void {
    const freed = order.reserved - needed
    if (freed <= 0n) return
    order.reserved = needed
    this.#post(
      order.update.user,
      order.update.side === 'Sell' ? base : quote,
      'Release',
      order.update.order,
      freed,
      -freed,
    )
  }

  #purse(who: bigint, asset: number): Purse {
    const key = `${who}/${asset}`
    const purse = this.#purses.get(key) ?? { available: 0n, frozen: 0n, version: 0n }
    this.#purses.set(key, purse)
    return purse
  }

  #post(
    who: bigint,
    asset: number,
    reason: ChangeReason,
    ref: bigint,
    deltaAvailable: bigint,
    deltaFrozen: bigint,
  ): void {
    if (deltaAvailable === 0n && deltaFrozen === 0n) return
    const purse = this.#purse(who, asset)
    purse.available += deltaAvailable
    purse.frozen += deltaFrozen
    purse.version++
    this.#changes.push({
      user: userId(who),
      asset: assetId(asset),
      deltaAvailable: amount(deltaAvailable),
      deltaFrozen: amount(deltaFrozen),
      available: amount(purse.available),
      frozen: amount(purse.frozen),
      version: version(purse.version),
      reason,
      ref,
    })
  }
}
