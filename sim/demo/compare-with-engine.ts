import type { CqlPort, CqlRow } from '../../runtime/cql/port.ts'
import type { EngineDump } from './engine-dump.ts'

export type EngineComparison = {
  readonly balances: number
  readonly openOrders: number
  /** One line for each difference; empty: the store holds what the engine says. */
  readonly differences: readonly string[]
}

/**
 * Compares the store with what the engine itself says it holds: no code of the pipeline, nor of `settle verify`, has a
 * part in what is expected. Reads the tables as any user of the store would.
 */
export const compareWithEngine = async (cql: CqlPort, dump: EngineDump): Promise<EngineComparison> => {
  const [balances, openOrders] = await Promise.all([balancesOf(cql), openOrdersOf(cql)])
  const differences = [
    ...differencesOf(
      'balance',
      new Map(
        dump.balances.map(({ user, asset, available, frozen, version }) => [
          `user ${user} asset ${asset}`,
          `${available} available, ${frozen} frozen, version ${version}`,
        ]),
      ),
      balances,
    ),
    ...differencesOf(
      'open order',
      new Map(
        dump.openOrders.map(({ order, user, symbol, side, price, remaining }) => [
          order,
          `${side} ${remaining} at ${price}, symbol ${symbol}, user ${user}`,
        ]),
      ),
      openOrders,
    ),
  ]
  return { balances: dump.balances.length, openOrders: dump.openOrders.length, differences }
}

const balancesOf = async (cql: CqlPort): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  for await (const row of cql.scan('SELECT user_id, asset, bal FROM balances')) {
    const [available, frozen, version] = row['bal'] as readonly bigint[]
    found.set(
      `user ${text(row, 'user_id')} asset ${text(row, 'asset')}`,
      `${available} available, ${frozen} frozen, version ${version}`,
    )
  }
  return found
}

const openOrdersOf = async (cql: CqlPort): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  for await (const row of cql.scan('SELECT user_id, orders FROM open_orders')) {
    const [orders] = row['orders'] as readonly [readonly CqlRow[] | null]
    for (const order of orders ?? []) {
      const [side, remaining, price] = [text(order, 'side'), text(order, 'remaining'), text(order, 'price')]
      const whose = `symbol ${text(order, 'symbol')}, user ${text(row, 'user_id')}`
      found.set(text(order, 'order_id'), `${side} ${remaining} at ${price}, ${whose}`)
    }
  }
  return found
}

const text = (row: CqlRow, column: string): string => `${row[column] as bigint | number | string}`

function* differencesOf(
  what: string,
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): Generator<string> {
  for (const [key, value] of expected) {
    const other = found.get(key)
    if (other === undefined) yield `${what} ${key}: the engine has ${value}, the store nothing`
    else if (other !== value) yield `${what} ${key}: the engine has ${value}, the store ${other}`
  }
  for (const [key, value] of found)
    if (!expected.has(key)) yield `${what} ${key}: the engine has none, the store ${value}`
}
