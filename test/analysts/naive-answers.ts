import {
  cutTime,
  day,
  groups,
  hour,
  microsecond,
  minute,
  type NaiveWorld,
  type Side,
  sidesOf,
  sum,
  whole,
} from './naive-world.ts'

/** A number that is no bigint is a DOUBLE: right to twelve digits. */
type Cell = string | bigint | number | null
export type Answer = readonly (readonly Cell[])[]

const lastOf = <T>(items: readonly T[]): T => items[items.length - 1] as T
const double = (units: bigint, decimals: number): number => Number(units) / 10 ** decimals
const descending = (a: bigint, b: bigint): number => (a < b ? 1 : a > b ? -1 : 0)

/**
 * The answer to each question of the page, from nothing but what the engine said, by plain loops: neither the
 * service's rows nor any SQL has a part in it. The world has one market.
 */
export const naiveAnswers = (world: NaiveWorld): ReadonlyMap<string, Answer> => {
  const { trades, orders, changes, reference } = world
  const symbol = reference.symbols[0] as NaiveWorld['reference']['symbols'][number]
  const decimalsOf = (asset: number): number => reference.assets.find(each => each.asset === asset)?.decimals ?? 0
  const nameOf = (asset: number): string => reference.assets.find(each => each.asset === asset)?.name ?? ''
  const [base, quote] = [decimalsOf(symbol.base), decimalsOf(symbol.quote)]
  const inBase = (units: bigint): string => whole(units, base)
  const inQuote = (units: bigint): string => whole(units, quote)
  const priced = (price: bigint): string => whole((price * 10n ** BigInt(base)) / symbol.lot, quote)
  const sides = sidesOf(world)
  const dayOf = ({ time }: { readonly time: bigint }): string => cutTime(time, day)

  const volumeWeighted: Answer = groups(trades, dayOf).map(([date, on]) => {
    const [quantity, turnover] = [sum(on, each => each.quantity), sum(on, each => each.quote)]
    return [symbol.name, date, BigInt(on.length), double(turnover, quote) / double(quantity, base), inQuote(turnover)]
  })

  const candles: Answer = groups(trades, each => cutTime(each.time, minute))
    .toReversed()
    .slice(0, 100)
    .map(([time, during]) => {
      const prices = during.map(each => each.price)
      const [highest] = prices.toSorted(descending)
      const lowest = lastOf(prices.toSorted(descending))
      return [
        time,
        priced(prices[0] as bigint),
        priced(highest as bigint),
        priced(lowest),
        priced(lastOf(prices)),
        inBase(sum(during, each => each.quantity)),
      ]
    })

  const hours: Answer = groups(trades, each => String((each.time % day) / hour).padStart(2, '0'))
    .map(([name, during]) => ({ name, count: during.length, turnover: sum(during, each => each.quote) }))
    .sort((a, b) => descending(a.turnover, b.turnover))
    .slice(0, 24)
    .map(({ name, count, turnover }) => [symbol.name, BigInt(name), BigInt(count), inQuote(turnover)])

  const crossing: Answer = groups(trades, dayOf).map(([date, on]) => [
    symbol.name,
    date,
    ...(['Buy', 'Sell'] as const).map(side =>
      inBase(
        sum(
          on.filter(({ taker }) => taker === side),
          each => each.quantity,
        ),
      ),
    ),
  ])

  const makers: Answer = [
    ...Map.groupBy(
      sides.filter(({ role }) => role === 'Maker'),
      ({ user }) => user,
    ),
  ]
    .map(([user, made]) => ({ user, count: made.length, turnover: sum(made, ({ trade }) => trade.quote) }))
    .sort((a, b) => descending(a.turnover, b.turnover) || descending(b.user, a.user))
    .slice(0, 10)
    .map(({ user, count, turnover }) => [user, BigInt(count), inQuote(turnover)])

  const earned: Answer = groups(
    changes.filter(({ reason, user }) => reason === 'Fee' && user === reference.house),
    each => `${dayOf(each)}/${nameOf(each.asset)}`,
  ).map(([, on]) => {
    const { asset, time } = lastOf(on)
    const fees = sum(on, each => each.deltaAvailable)
    return [nameOf(asset), cutTime(time, day), whole(fees, decimalsOf(asset))]
  })

  const broughtIn: Answer = groups(sides, ({ trade, feeAsset }) => `${dayOf(trade)}/${nameOf(feeAsset)}`).map(
    ([, on]) => {
      const { trade, feeAsset } = lastOf(on)
      const date = dayOf(trade)
      const turnover = sum(
        trades.filter(each => dayOf(each) === date),
        each => each.quote,
      )
      const fees = whole(
        sum(on, each => each.fee),
        decimalsOf(feeAsset),
      )
      return [symbol.name, date, inQuote(turnover), nameOf(feeAsset), fees]
    },
  )

  const flowsOf = (mine: readonly Side[]) => {
    const of = (side: 'Buy' | 'Sell', amount: (each: Side) => bigint): bigint =>
      sum(
        mine.filter(each => each.side === side),
        amount,
      )
    const feesIn = (asset: number): bigint =>
      sum(
        mine.filter(({ feeAsset }) => feeAsset === asset),
        ({ fee }) => fee,
      )
    return {
      bought: of('Buy', ({ trade }) => trade.quantity),
      sold: of('Sell', ({ trade }) => trade.quantity),
      paid: of('Buy', ({ trade }) => trade.quote),
      received: of('Sell', ({ trade }) => trade.quote),
      baseFees: feesIn(symbol.base),
      quoteFees: feesIn(symbol.quote),
    }
  }
  const lastPrice = lastOf(trades).price
  const results: Answer = [...Map.groupBy(sides, ({ user }) => user)]
    .map(([user, mine]) => {
      const { bought, sold, paid, received, baseFees, quoteFees } = flowsOf(mine)
      const [cash, position] = [received - paid - quoteFees, bought - sold - baseFees]
      const value = (position * lastPrice) / symbol.lot
      return { user, cash, position, value, pnl: cash + value }
    })
    .sort((a, b) => descending(a.pnl, b.pnl) || descending(b.user, a.user))
    .slice(0, 20)
    .map(({ user, cash, position, value, pnl }) => [
      symbol.name,
      user,
      inQuote(cash),
      inBase(position),
      inQuote(value),
      inQuote(pnl),
    ])

  const mine = flowsOf(sides.filter(({ user }) => user === 101n))
  const averageCost = double(mine.paid, quote) / double(mine.bought - mine.baseFees, base)
  const realised: Answer = [
    [symbol.name, double(mine.received, quote) - double(mine.sold, base) * averageCost - double(mine.quoteFees, quote)],
  ]

  const statement: Answer = changes
    .filter(({ user, asset }) => user === 101n && asset === 2)
    .toReversed()
    .slice(0, 50)
    .map(each => [
      cutTime(each.time, microsecond),
      each.reason,
      each.ref,
      inQuote(each.deltaAvailable),
      inQuote(each.deltaFrozen),
      inQuote(each.available),
      inQuote(each.frozen),
      each.version,
    ])

  const life: Answer = orders
    .filter(({ order }) => order === 17n)
    .map(each => [
      cutTime(each.time, microsecond),
      each.state,
      each.type === 'Limit' ? priced(each.price) : null,
      inBase(each.quantity),
      inBase(each.filled),
      inBase(each.remaining),
      each.reason,
    ])

  const now = [...new Map(orders.map(each => [each.order, each])).values()]
  const openLongest: Answer = now
    .filter(({ state }) => state === 'New' || state === 'PartiallyFilled')
    .map(each => ({
      each,
      placed: orders.find(({ order, state }) => order === each.order && state === 'New')?.time ?? 0n,
    }))
    .sort((a, b) => descending(b.placed, a.placed) || descending(b.each.order, a.each.order))
    .slice(0, 20)
    .map(({ each, placed }) => [
      each.order,
      each.user,
      symbol.name,
      each.side,
      priced(each.price),
      inBase(each.remaining),
      cutTime(placed, microsecond),
    ])

  const ends: Answer = groups(now, each => `${each.type}/${each.state}`).map(([, ended]) => {
    const { type, state } = lastOf(ended)
    return [symbol.name, type, state, BigInt(ended.length), inBase(sum(ended, each => each.filled))]
  })

  const balances = [...new Map(changes.map(each => [`${each.user}/${each.asset}`, each])).values()]
  const holders: Answer = balances
    .filter(({ asset }) => nameOf(asset) === 'EUR')
    .map(({ user, available, frozen }) => ({ user, available, frozen, total: available + frozen }))
    .sort((a, b) => descending(a.total, b.total) || descending(b.user, a.user))
    .slice(0, 10)
    .map(({ user, available, frozen, total }) => [user, inQuote(available), inQuote(frozen), inQuote(total)])

  const outside = changes.filter(({ reason }) => reason === 'Deposit' || reason === 'Withdrawal')
  const transfers: Answer = groups(outside, each => `${dayOf(each)}/${nameOf(each.asset)}/${each.reason}`).map(
    ([, on]) => {
      const { asset, time, reason } = lastOf(on)
      const moved = sum(on, each => each.deltaAvailable)
      return [nameOf(asset), cutTime(time, day), reason, BigInt(on.length), whole(moved, decimalsOf(asset))]
    },
  )

  const conserved: Answer = reference.assets.map(({ asset, name }) => {
    const held = sum(
      balances.filter(each => each.asset === asset),
      ({ available, frozen }) => available + frozen,
    )
    const flow = sum(
      outside.filter(each => each.asset === asset),
      ({ deltaAvailable, deltaFrozen }) => deltaAvailable + deltaFrozen,
    )
    return [name, held, flow, held - flow]
  })

  return new Map<string, Answer>([
    ['Volume-weighted average price and turnover of each market, by day', volumeWeighted],
    ['The last hundred candles of a market', candles],
    ['Which hours are the busiest, over all days', hours],
    ['Who crosses the spread, buyers or sellers, by day', crossing],
    ['Who makes the market: the users with the largest turnover as makers', makers],
    ['What the house earned, per asset and day', earned],
    ['What each market brought in: turnover and fees by day', broughtIn],
    ['Who won and who lost, with what they hold at the last price', results],
    [
      'What a user has realised in each market: what the sales brought, less what the sold had cost on average, less fees',
      realised,
    ],
    ["A user's statement in one asset, newest first", statement],
    ['The whole life of one order', life],
    ['The orders that are open longest', openLongest],
    ['How orders end, by market and kind', ends],
    ['Who holds the most of an asset', holders],
    ['What came in and went out, per asset and day', transfers],
    ['Does every balance stand where its last posting left it? None may be wrong', [[BigInt(balances.length), 0n]]],
    [
      'Is money conserved? What all users hold is what came in from outside; the difference is zero for every asset',
      conserved,
    ],
  ])
}
