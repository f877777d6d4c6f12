import {
  assetOf,
  cutTime,
  day,
  findMarket,
  flowsOf,
  groups,
  hour,
  lastOf,
  marketOf,
  microsecond,
  minute,
  type NaiveMarket,
  type NaiveWorld,
  sidesOf,
  sum,
  whole,
} from './naive-world.ts'

/** A number that is no bigint is a DOUBLE: right to twelve digits. */
type Cell = string | bigint | number | null
export type Answer = readonly (readonly Cell[])[]

const double = (units: bigint, decimals: number): number => Number(units) / 10 ** decimals
const descending = (a: bigint, b: bigint): number => (a < b ? 1 : a > b ? -1 : 0)
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** An amount of the quote asset, as one that can be compared with those of other markets. */
const comparable = (units: bigint, { decimals }: NaiveMarket): bigint => units * 10n ** BigInt(18 - decimals.quote)

/**
 * The answer to each question of the page, from nothing but what the engine said, by plain loops: neither the
 * service's rows nor any SQL has a part in it.
 */
export const naiveAnswers = (world: NaiveWorld): ReadonlyMap<string, Answer> => {
  const { trades, orders, changes, reference } = world
  const sides = sidesOf(world)
  const dayOf = ({ time }: { readonly time: bigint }): string => cutTime(time, day)
  const nameOf = (each: { readonly asset: (typeof changes)[number]['asset'] }): string =>
    assetOf(world, each.asset).name
  const marketBy = (name: string): NaiveMarket =>
    marketOf(world, (reference.symbols.find(each => each.name === name) ?? lastOf(reference.symbols)).symbol)
  /** By day, then by market. */
  const byDay = <T>(items: readonly (T & NaiveWorld['trades'][number])[]) =>
    groups(items, each => `${dayOf(each)}/${marketOf(world, each.symbol).name}`).map(([, on]) => ({
      ...{ on, market: marketOf(world, lastOf(on).symbol), date: dayOf(lastOf(on)) },
    }))

  const volumeWeighted: Answer = byDay(trades).map(({ on, market, date }) => {
    const [quantity, turnover] = [sum(on, each => each.quantity), sum(on, each => each.quote)]
    const average = double(turnover, market.decimals.quote) / double(quantity, market.decimals.base)
    return [market.name, date, BigInt(on.length), average, market.inQuote(turnover)]
  })

  const bitcoin = marketBy('BTC/EUR')
  const candles: Answer = groups(
    trades.filter(({ symbol }) => symbol === bitcoin.symbol),
    each => cutTime(each.time, minute),
  )
    .toReversed()
    .slice(0, 100)
    .map(([time, during]) => {
      const prices = during.map(each => each.price)
      const falling = prices.toSorted(descending)
      const volume = bitcoin.inBase(sum(during, each => each.quantity))
      return [
        time,
        ...[prices.slice(0, 1), falling.slice(0, 1), falling.slice(-1), prices.slice(-1)].flat().map(bitcoin.priced),
        volume,
      ]
    })

  const hours: Answer = groups(trades, each => `${each.symbol}/${(each.time % day) / hour}`)
    .map(([, during]) => ({
      ...{ market: marketOf(world, lastOf(during).symbol), hourOfDay: (lastOf(during).time % day) / hour },
      ...{ count: during.length, turnover: sum(during, each => each.quote) },
    }))
    .sort(
      (a, b) =>
        descending(comparable(a.turnover, a.market), comparable(b.turnover, b.market)) ||
        byText(a.market.name, b.market.name) ||
        descending(b.hourOfDay, a.hourOfDay),
    )
    .slice(0, 24)
    .map(({ market, hourOfDay, count, turnover }) => [market.name, hourOfDay, BigInt(count), market.inQuote(turnover)])

  const crossing: Answer = byDay(trades).map(({ on, market, date }) => [
    market.name,
    date,
    ...(['Buy', 'Sell'] as const).map(side =>
      market.inBase(
        sum(
          on.filter(({ taker }) => taker === side),
          each => each.quantity,
        ),
      ),
    ),
  ])

  const makers: Answer = groups(
    sides.filter(({ role }) => role === 'Maker'),
    ({ user, trade }) => `${user}/${trade.symbol}`,
  )
    .map(([, made]) => {
      const { user, trade } = lastOf(made)
      return {
        user,
        market: marketOf(world, trade.symbol),
        count: made.length,
        turnover: sum(made, each => each.trade.quote),
      }
    })
    .sort(
      (a, b) =>
        descending(comparable(a.turnover, a.market), comparable(b.turnover, b.market)) ||
        byText(a.market.name, b.market.name) ||
        descending(b.user, a.user),
    )
    .slice(0, 10)
    .map(({ market, user, count, turnover }) => [market.name, user, BigInt(count), market.inQuote(turnover)])

  const earned: Answer = groups(
    changes.filter(({ reason, user }) => reason === 'Fee' && user === reference.house),
    each => `${dayOf(each)}/${nameOf(each)}`,
  ).map(([, on]) => {
    const { name, decimals } = assetOf(world, lastOf(on).asset)
    const fees = sum(on, each => each.deltaAvailable)
    return [name, dayOf(lastOf(on)), whole(fees, decimals)]
  })

  const broughtIn: Answer = byDay(trades).flatMap(({ on, market, date }) => {
    const turnover = market.inQuote(sum(on, each => each.quote))
    const paid = sides.filter(({ trade }) => on.includes(trade))
    return groups(paid, ({ feeAsset }) => assetOf(world, feeAsset).name).map(([name, in_]) => {
      const fees = sum(in_, each => each.fee)
      return [market.name, date, turnover, name, whole(fees, assetOf(world, lastOf(in_).feeAsset).decimals)]
    })
  })

  const results: Answer = groups(sides, ({ user, trade }) => `${user}/${trade.symbol}`)
    .map(([, mine]) => {
      const { user, trade } = lastOf(mine)
      const market = marketOf(world, trade.symbol)
      const { bought, sold, paid, received, baseFees, quoteFees } = flowsOf(mine, market)
      const [cash, position] = [received - paid - quoteFees, bought - sold - baseFees]
      const value = (position * lastOf(trades.filter(({ symbol }) => symbol === trade.symbol)).price) / market.lot
      return { market, user, cash, position, value, pnl: cash + value }
    })
    .sort(
      (a, b) =>
        descending(comparable(a.pnl, a.market), comparable(b.pnl, b.market)) ||
        byText(a.market.name, b.market.name) ||
        descending(b.user, a.user),
    )
    .slice(0, 20)
    .map(({ market: { name, inBase, inQuote }, user, cash, position, value, pnl }) => [
      ...[name, user, inQuote(cash), inBase(position), inQuote(value), inQuote(pnl)],
    ])

  const realised: Answer = groups(
    sides.filter(({ user }) => user === 101n),
    ({ trade }) => marketOf(world, trade.symbol).name,
  ).map(([name, all]) => {
    const { decimals, ...market } = marketBy(name)
    const mine = flowsOf(all, market)
    const averageCost = double(mine.paid, decimals.quote) / double(mine.bought - mine.baseFeesOfBuys, decimals.base)
    const gone = double(mine.sold + mine.baseFeesOfSales, decimals.base)
    return [name, double(mine.received, decimals.quote) - gone * averageCost - double(mine.quoteFees, decimals.quote)]
  })

  const inEuro = (units: bigint): string => whole(units, 2)

  const statement: Answer = changes
    .filter(({ user, asset }) => user === 101n && asset === 2)
    .toReversed()
    .slice(0, 50)
    .map(each => [
      cutTime(each.time, microsecond),
      each.reason,
      each.ref,
      inEuro(each.deltaAvailable),
      inEuro(each.deltaFrozen),
      inEuro(each.available),
      inEuro(each.frozen),
      each.version,
    ])

  const life: Answer = orders
    .filter(({ order }) => order === 82n)
    .map(each => [
      cutTime(each.time, microsecond),
      each.state,
      each.type === 'Limit' ? bitcoin.priced(each.price) : null,
      bitcoin.inBase(each.quantity),
      bitcoin.inBase(each.filled),
      bitcoin.inBase(each.remaining),
      each.reason,
    ])

  const now = [...new Map(orders.map(each => [each.order, each])).values()]
  const openLongest: Answer = now
    .filter(({ state }) => state === 'New' || state === 'PartiallyFilled')
    .map(each => ({ each, placed: orders.find(({ order }) => order === each.order)?.time ?? 0n }))
    .sort((a, b) => descending(b.placed, a.placed) || descending(b.each.order, a.each.order))
    .slice(0, 20)
    .map(({ each: { symbol, order, user, side, price, remaining }, placed }) => {
      const { name, priced, inBase } = marketOf(world, symbol)
      return [order, user, name, side, priced(price), inBase(remaining), cutTime(placed, microsecond)]
    })

  const ends: Answer = groups(
    now,
    each => `${findMarket(world, each.symbol)?.name ?? ''}/${each.type}/${each.state}`,
  ).map(([, ended]) => {
    const { symbol, type, state } = lastOf(ended)
    const market = findMarket(world, symbol)
    const filled = sum(ended, each => each.filled)
    return [market?.name ?? null, type, state, BigInt(ended.length), market?.inBase(filled) ?? null]
  })

  const balances = [...new Map(changes.map(each => [`${each.user}/${each.asset}`, each])).values()]
  const holders: Answer = balances
    .filter(({ asset }) => assetOf(world, asset).name === 'EUR')
    .map(({ user, available, frozen }) => ({ user, available, frozen, total: available + frozen }))
    .sort((a, b) => descending(a.total, b.total) || descending(b.user, a.user))
    .slice(0, 10)
    .map(({ user, available, frozen, total }) => [user, inEuro(available), inEuro(frozen), inEuro(total)])

  const outside = changes.filter(({ reason }) => ['Deposit', 'Withdrawal', 'Correction'].includes(reason))
  const transfers: Answer = groups(outside, each => `${dayOf(each)}/${nameOf(each)}/${each.reason}`).map(([, on]) => {
    const { asset, reason } = lastOf(on)
    const { name, decimals } = assetOf(world, asset)
    const moved = sum(on, each => each.deltaAvailable)
    return [name, dayOf(lastOf(on)), reason, BigInt(on.length), whole(moved, decimals)]
  })

  const conserved: Answer = reference.assets
    .toSorted((a, b) => byText(a.name, b.name))
    .map(({ asset, name }) => {
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
    ['Who makes each market: the users with the largest turnover as makers', makers],
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
