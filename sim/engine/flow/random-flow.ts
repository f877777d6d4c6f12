import type { Side } from '../../../core/events.ts'
import type { OpenOrder } from '../book/open-order.ts'
import { remainingOf } from '../book/open-order.ts'
import type { EngineCommand, PlaceOrder } from '../command.ts'
import type { EngineView, Flow } from './flow.ts'
import { assetsOf, type Funded, type Market } from './markets.ts'
import { Random } from './random.ts'

export type RandomFlowSettings = {
  readonly seed: bigint
  /** User ids are 1 … users. */
  readonly users: number
  /** How many orders to submit, rejected ones included. */
  readonly orders: number
  readonly markets: readonly Market[]
  readonly house: bigint
  /** The engine's clock before the first command. */
  readonly startUs: bigint
  /** Mean time between two commands on the engine's clock. */
  readonly meanStepUs: number
}

type Cursor = {
  /** Commands drawn so far. */
  step: number
  orders: number
  timeUs: string
  /** Distance of a symbol's price from its start, in millionths, by symbol id. */
  walkPpm: Record<string, number>
}

/** A user with this many open orders cancels rather than places, which bounds the books. */
const maxOpenOrdersOfUser = 24
/** Of how many of a user's oldest orders one is chosen to cancel or reduce. */
const oldestOrders = 16

/**
 * Random trading from a seed: first every user is funded, then a mix of limit orders near a wandering price, market
 * and immediate-or-cancel orders, cancels, reductions, deposits, withdrawals and a few orders that must be rejected.
 */
export class RandomFlow implements Flow {
  readonly #settings: RandomFlowSettings
  readonly #assets: readonly Funded[]
  #cursor: Cursor

  constructor(settings: RandomFlowSettings) {
    this.#settings = settings
    this.#assets = assetsOf(settings.markets)
    this.#cursor = { step: 0, orders: 0, timeUs: `${settings.startUs}`, walkPpm: {} }
  }

  cursor(): Cursor {
    return { ...this.#cursor, walkPpm: { ...this.#cursor.walkPpm } }
  }

  resume(cursor: unknown): void {
    const { walkPpm, ...rest } = cursor as Cursor
    this.#cursor = { ...rest, walkPpm: { ...walkPpm } }
  }

  orders(): number {
    return this.#cursor.orders
  }

  ordersInAll(): number {
    return this.#settings.orders
  }

  nextTimeUs(): bigint | null {
    return this.#cursor.orders >= this.#settings.orders ? null : this.#timeOf(this.#random())
  }

  next(view: EngineView): EngineCommand | null {
    if (this.#cursor.orders >= this.#settings.orders) return null
    const random = this.#random()
    const timeUs = this.#timeOf(random)
    const command = this.#funding(timeUs, random) ?? this.#trading(timeUs, random, view)
    this.#cursor.step++
    this.#cursor.timeUs = `${timeUs}`
    if (command.kind === 'Place') this.#cursor.orders++
    return command
  }

  #random(): Random {
    return new Random({ seed: this.#settings.seed, step: this.#cursor.step })
  }

  /** The first draw of a step is its time, so that the time is known before anything else is looked at. */
  #timeOf(random: Random): bigint {
    return BigInt(this.#cursor.timeUs) + BigInt(1 + random.below(2 * this.#settings.meanStepUs))
  }

  #funding(timeUs: bigint, random: Random): EngineCommand | null {
    const { step } = this.#cursor
    const user = Math.floor(step / this.#assets.length)
    if (user >= this.#settings.users) return null
    const asset = this.#assets[step % this.#assets.length] as Funded
    return { kind: 'Deposit', timeUs, user: BigInt(user + 1), asset: asset.asset, amount: depositOf(asset, random) }
  }

  #trading(timeUs: bigint, random: Random, view: EngineView): EngineCommand {
    const user = this.#user(random)
    const own = view.ordersOf(user)
    const roll = random.below(1000)
    if (own.size >= maxOpenOrdersOfUser || (own.size > 0 && roll < 140)) return cancel(timeUs, random, own)
    if (own.size > 0 && roll < 190) return this.#reduction(timeUs, random, own)
    if (roll < 200) return this.#deposit(timeUs, random, user)
    if (roll < 212) return this.#withdrawal(timeUs, random, user, view) ?? this.#deposit(timeUs, random, user)
    if (roll < 220) return this.#badOrder(timeUs, random, user)
    return this.#order(timeUs, random, user, view)
  }

  /** A few users trade most: the rank falls with the cube of a uniform draw. */
  #user(random: Random): bigint {
    const u = random.fraction()
    return BigInt(1 + Math.floor(this.#settings.users * u * u * u))
  }

  #reduction(timeUs: bigint, random: Random, own: ReadonlyMap<bigint, OpenOrder>): EngineCommand {
    const order = pick(random, own)
    const { lot } = this.#marketOf(order.symbol).traded
    const lots = remainingOf(order) / lot
    const by = lot * (1n + (lots * BigInt(random.below(1000))) / 1000n)
    return { kind: 'Reduce', timeUs, user: order.user, order: order.order, by }
  }

  #deposit(timeUs: bigint, random: Random, user: bigint): EngineCommand {
    const asset = this.#assets[random.below(this.#assets.length)] as Funded
    return { kind: 'Deposit', timeUs, user, asset: asset.asset, amount: depositOf(asset, random) / 4n + 1n }
  }

  /** Null when there is nothing to withdraw. The house withdraws too, or all money would end up there. */
  #withdrawal(timeUs: bigint, random: Random, anyone: bigint, view: EngineView): EngineCommand | null {
    const user = random.below(8) === 0 ? this.#settings.house : anyone
    const asset = this.#assets[random.below(this.#assets.length)] as Funded
    const { available } = view.account(user, asset.asset)
    const amount = (available * BigInt(random.between(1, 600))) / 1000n
    return amount > 0n ? { kind: 'Withdraw', timeUs, user, asset: asset.asset, amount } : null
  }

  #order(timeUs: bigint, random: Random, user: bigint, view: EngineView): EngineCommand {
    const order = this.#draw(timeUs, random, user)
    const { traded, startPrice } = this.#marketOf(order.symbol)
    const cost = order.type === 'Market' ? startPrice : order.price
    const needed = order.side === 'Buy' ? (cost * order.quantity) / traded.lot : order.quantity
    const asset = order.side === 'Buy' ? traded.quote : traded.base
    // Who can't pay brings money first, nearly always: otherwise fees would drain the users in a long run.
    if (view.account(user, asset).available < needed && random.below(10) > 0)
      return { kind: 'Deposit', timeUs, user, asset, amount: needed * BigInt(random.between(2, 8)) }
    return { kind: 'Place', timeUs, ...order }
  }

  #draw(timeUs: bigint, random: Random, user: bigint): PlaceOrder {
    const market = this.#settings.markets[random.below(this.#settings.markets.length)] as Market
    const { traded, tick, maxLots } = market
    const middle = this.#walk(market, random)
    const side: Side = random.below(2) === 0 ? 'Buy' : 'Sell'
    const u = random.fraction()
    const quantity = traded.lot * BigInt(1 + Math.floor(maxLots * u * u * u))
    const common = { user, symbol: traded.symbol, side, quantity, client: 0n }
    const style = random.below(100)
    if (style < 14) return { ...common, type: 'Market', timeInForce: 'ImmediateOrCancel', price: 0n, expiresAtUs: 0n }
    const isImmediate = style < 26
    const ppm = distancePpm(random, isImmediate ? 'crossing' : 'any')
    const away = (middle * BigInt(ppm)) / 1_000_000n
    const price = side === 'Buy' ? middle - away : middle + away
    const ticks = price / tick
    const goodForUs = BigInt(this.#settings.meanStepUs * random.between(200, 20_000))
    return {
      ...common,
      type: 'Limit',
      timeInForce: isImmediate ? 'ImmediateOrCancel' : 'GoodTillCancel',
      price: ticks > 0n ? ticks * tick : tick,
      expiresAtUs: !isImmediate && style < 32 ? timeUs + goodForUs : 0n,
    }
  }

  /** Lets a market's price wander a little, drawn back to where it began, and returns it. */
  #walk({ traded, startPrice }: Market, random: Random): bigint {
    const before = this.#cursor.walkPpm[traded.symbol] ?? 0
    const after = before + random.between(-400, 400) - Math.trunc(before / 2000)
    this.#cursor.walkPpm[traded.symbol] = after
    return (startPrice * BigInt(1_000_000 + after)) / 1_000_000n
  }

  #badOrder(timeUs: bigint, random: Random, user: bigint): EngineCommand {
    const { traded, startPrice } = this.#settings.markets[random.below(this.#settings.markets.length)] as Market
    const order: PlaceOrder = {
      user,
      symbol: traded.symbol,
      side: 'Buy',
      type: 'Limit',
      timeInForce: 'GoodTillCancel',
      price: startPrice,
      quantity: traded.lot,
      expiresAtUs: 0n,
      client: 0n,
    }
    switch (random.below(3)) {
      case 0:
        return { kind: 'Place', timeUs, ...order, quantity: traded.lot + 1n }
      case 1:
        return { kind: 'Place', timeUs, ...order, symbol: 999 }
      default:
        return { kind: 'Place', timeUs, ...order, quantity: traded.lot * 1_000_000_000n }
    }
  }

  #marketOf(symbol: number): Market {
    const market = this.#settings.markets.find(({ traded }) => traded.symbol === symbol)
    if (!market) throw new Error(`symbol ${symbol} is not traded in this flow`)
    return market
  }
}

const depositOf = ({ typicalDeposit }: Funded, random: Random): bigint =>
  (typicalDeposit * BigInt(random.between(500, 1500))) / 1000n

/** One of the oldest of a user's orders. */
const pick = (random: Random, own: ReadonlyMap<bigint, OpenOrder>): OpenOrder => {
  let index = random.below(Math.min(own.size, oldestOrders))
  for (const order of own.values()) if (index-- === 0) return order
  throw new Error('picked from no orders')
}

const cancel = (timeUs: bigint, random: Random, own: ReadonlyMap<bigint, OpenOrder>): EngineCommand => {
  const { user, order } = pick(random, own)
  return { kind: 'Cancel', timeUs, user, order }
}

/** How far from the middle an order is priced; below zero it reaches across. */
const distancePpm = (random: Random, reach: 'crossing' | 'any'): number => {
  if (reach === 'crossing' || random.below(100) < 25) return -random.between(0, 2_500)
  const u = random.fraction()
  return Math.floor(200 + 12_000 * u * u)
}
