import { expect, test } from 'vitest'
import type { CqlPort, CqlRow } from '../../runtime/cql/port.ts'
import { compareWithEngine } from './compare-with-engine.ts'
import type { EngineDump } from './engine-dump.ts'

const dump: EngineDump = {
  outputs: '9',
  trades: '1',
  balances: [
    { user: '1', asset: '2', available: '9007199254740993', frozen: '5', version: '7' },
    { user: '2', asset: '2', available: '0', frozen: '0', version: '1' },
  ],
  openOrders: [{ order: '11', user: '1', symbol: '1', side: 'Buy', price: '100', remaining: '5' }],
  orderStates: { New: '1' },
  chain: '',
}

const balance = (user: bigint, available: bigint, frozen: bigint, version: bigint): CqlRow => ({
  user_id: user,
  asset: 2,
  bal: [available, frozen, version, 1n],
})
const openOrder = (order: bigint, remaining: bigint): CqlRow => ({
  user_id: 1n,
  orders: [[{ order_id: order, symbol: 1, side: 'Buy', price: 100n, remaining }], 1n],
})
const emptied: CqlRow = { user_id: 2n, orders: [null, 1n] }

const compare = async (balances: readonly CqlRow[], orders: readonly CqlRow[]): Promise<readonly string[]> => {
  const scan = async function* (cql: string): AsyncGenerator<CqlRow> {
    yield* cql.includes('FROM balances') ? balances : orders
  }
  return (await compareWithEngine({ scan } as unknown as CqlPort, dump)).differences
}

const good = [balance(1n, 9007199254740993n, 5n, 7n), balance(2n, 0n, 0n, 1n)]

test('equal books', async () => {
  expect(await compare(good, [openOrder(11n, 5n), emptied])).toEqual([])
})

test('a unit too much, beyond what a double can tell', async () => {
  expect(await compare([balance(1n, 9007199254740992n, 5n, 7n), ...good.slice(1)], [openOrder(11n, 5n)])).toEqual([
    expect.stringContaining('user 1 asset 2: the engine has 9007199254740993 available'),
  ])
})

test('what is missing, what is too much, what differs', async () => {
  expect(await compare([...good.slice(1), balance(3n, 1n, 0n, 1n)], [openOrder(12n, 5n)])).toEqual([
    expect.stringContaining('balance user 1 asset 2: the engine has'),
    expect.stringContaining('balance user 3 asset 2: the engine has none'),
    expect.stringContaining('open order 11: the engine has Buy 5 at 100, symbol 1, user 1, the store nothing'),
    expect.stringContaining('open order 12: the engine has none'),
  ])
  expect(await compare(good, [openOrder(11n, 4n)])).toEqual([expect.stringContaining('the store Buy 4 at 100')])
})
