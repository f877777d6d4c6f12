import type { EngineOutput, Side } from '../../core/events.ts'
import { userId, type UserId } from '../../core/ids.ts'
import { assetsOf, defaultMarketNames, allMarkets, type Market, referenceOf } from '../../sim/engine/flow/markets.ts'
import { Random } from '../../sim/engine/flow/random.ts'
import type { EngineCommand, PlaceOrder } from '../../sim/engine/command.ts'
import type { Account } from '../../sim/engine/book/accounts.ts'
import { MatchingEngine } from '../../sim/engine/matching-engine.ts'
import { Zipf } from './zipf.ts'

/** What the figures are told for. */
export const exchangeSize = { users: 10_000, zipfExponent: 1, partitions: 12 } as const

/** The user that receives fees: above every user. */
export const house = userId(1_000_000_000n)
/** Nobody runs out of money however long a benchmark runs, and no asset outgrows an int64. */
export const funds = 4n * 10n ** 14n
/** What a taker takes, in lots; a resting order is one to three times as large. */
const takenLots = 10n
const mostTakes = 3

type Resting = { readonly user: bigint; readonly side: Side; readonly price: bigint; takes: number }

/**
 * A busy exchange on the matching engine of sim/engine, always the same from its seed: three markets, each with one
 * order resting, of two takers' size on average. So an output is an order that rests, or one that trades once and in full:
 * maker and taker with fees, both of them users drawn by Zipf.
 */
export class Exchange {
  readonly assets: readonly number[]
  readonly #engine = new MatchingEngine({ fees: { makerBp: 10n, takerBp: 20n } })
  readonly #markets: readonly Market[]
  readonly #resting = new Map<Market, Resting>()
  readonly #random: Random
  readonly #users: number
  readonly #zipf: Zipf
  #trades = 0

  constructor({ seed, users = exchangeSize.users }: { readonly seed: bigint; readonly users?: number }) {
    this.#users = users
    this.#zipf = new Zipf({ count: users, exponent: exchangeSize.zipfExponent })
    this.#random = new Random({ seed, step: 0 })
    this.#markets = allMarkets.filter(({ traded }) => defaultMarketNames.includes(traded.name))
    this.assets = assetsOf(this.#markets).map(({ asset }) => asset)
  }

  /** Trades made so far. */
  get trades(): number {
    return this.#trades
  }

  /** The first outputs of all: reference data, then money for everybody. */
  *opening(timeOf: () => bigint): Iterable<EngineOutput> {
    const reference = referenceOf(this.#markets, house)
    yield this.#execute({ kind: 'Reference', timeUs: timeOf(), reference })
    for (let rank = 0; rank < this.#users; rank++)
      for (const asset of this.assets) yield this.deposit(userOf(rank), asset, funds, timeOf())
  }

  deposit(user: UserId, asset: number, amount: bigint, timeUs: bigint): EngineOutput {
    return this.#execute({ kind: 'Deposit', timeUs, user, asset, amount })
  }

  /** The next order: it meets the one that rests in its market, or rests there itself. */
  order(timeUs: bigint): EngineOutput {
    const market = this.#markets[this.#random.below(this.#markets.length)] as Market
    const resting = this.#resting.get(market)
    const output = this.#execute({
      kind: 'Place',
      timeUs,
      ...(resting ? this.#take(market, resting) : this.#rest(market)),
    })
    this.#trades += output.trades.length
    return output
  }

  /** What the engine's own books say of a user. */
  account(user: UserId, asset: number): Readonly<Account> {
    return this.#engine.accounts.of(user, asset)
  }

  #rest(market: Market): PlaceOrder {
    const user = userOf(this.#zipf.draw(this.#random))
    const side = this.#random.below(2) === 0 ? 'Buy' : 'Sell'
    const price = market.startPrice + market.tick * BigInt(this.#random.between(-50, 50))
    const takes = this.#random.between(1, mostTakes)
    this.#resting.set(market, { user, side, price, takes })
    return { ...common(market), user, side, price, quantity: lotsOf(market, takes), timeInForce: 'GoodTillCancel' }
  }

  #take(market: Market, resting: Resting): PlaceOrder {
    let user: bigint
    do user = userOf(this.#zipf.draw(this.#random))
    while (user === resting.user)
    const { side, price } = resting
    if (--resting.takes === 0) this.#resting.delete(market)
    return {
      ...common(market),
      user,
      side: side === 'Buy' ? 'Sell' : 'Buy',
      price,
      quantity: lotsOf(market, 1),
      timeInForce: this.#random.below(2) === 0 ? 'GoodTillCancel' : 'ImmediateOrCancel',
    }
  }

  #execute(command: EngineCommand): EngineOutput {
    const executed = this.#engine.execute(command)
    if (executed.kind === 'refused') throw new Error(`the engine refused a ${command.kind}: ${executed.reason}`)
    return executed.output
  }
}

/** The user of a rank; rank 0 trades most. */
export const userOf = (rank: number): UserId => userId(BigInt(rank + 1))

const common = ({ traded: { symbol } }: Market) => ({ symbol, type: 'Limit', expiresAtUs: 0n, client: 0n }) as const

const lotsOf = ({ traded: { lot } }: Market, takes: number): bigint => lot * takenLots * BigInt(takes)
