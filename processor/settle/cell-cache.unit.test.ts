import { expect, test } from 'vitest'
import { type Cell, emptyCell } from '../../core/fold.ts'
import { assetId, pos, userId, version } from '../../core/ids.ts'
import { CellCache, type StoredWallet, type Wallet } from './cell-cache.ts'
import { OpenOrders } from './open-orders.ts'
import { orderOutput, orderUpdate } from './testing/user-output.ts'

const cell = (at: bigint): Cell => ({ ...emptyCell, version: version(at), pos: pos(at) })
const stored = (...ids: number[]): StoredWallet => ({
  cells: new Map(ids.map(id => [assetId(id), cell(1n)])),
  bucket: null,
})
const written = (wallet: Wallet): unknown => wallet.unwritten.drain()

test('a loaded cell is to be written again, and so is a changed one', () => {
  const cache = new CellCache({ maxCells: 10 })
  const wallet = cache.load(userId(1n), stored(1, 2))
  expect(wallet.unwritten.drain()).toEqual([1, 2])
  cache.set(wallet, assetId(3), cell(2n))
  cache.set(wallet, assetId(2), cell(3n))
  cache.set(wallet, assetId(3), cell(4n))
  expect(wallet.unwritten.drain()).toEqual([3, 2])
  expect(cache.size).toBe(3)
})

test('a cell that was evicted and is loaded again is to be written again too', () => {
  const cache = new CellCache({ maxCells: 1 })
  for (const user of [1n, 2n, 1n]) {
    const wallet = cache.load(userId(user), stored(1, 2))
    expect(wallet.unwritten.drain()).toEqual([1, 2])
    cache.evict()
    expect(cache.get(userId(user))).toBeUndefined()
  }
})

test('the longest unused goes first, and nothing that is held or not written', () => {
  const cache = new CellCache({ maxCells: 2 })
  const [a, b, c, d] = [1n, 2n, 3n, 4n].map(id => cache.load(userId(id), stored(1))) as [Wallet, Wallet, Wallet, Wallet]
  for (const wallet of [a, b, c]) written(wallet)
  cache.hold(a)
  cache.release(a)
  cache.hold(b)
  cache.evict()
  // b is held, d not written; of c and a the first was unused for longer, and both have to go.
  expect([a, b, c, d].map(({ user }) => cache.get(user) !== undefined)).toEqual([false, true, false, true])
  expect(cache.size).toBe(2)
  cache.release(b)
  written(d)
  cache.load(userId(5n), stored(1, 2))
  cache.evict()
  expect([b, d].map(({ user }) => cache.get(user))).toEqual([undefined, undefined])
})

test('an empty wallet takes its place too', () => {
  const cache = new CellCache({ maxCells: 1 })
  cache.load(userId(1n), stored())
  cache.load(userId(2n), stored())
  cache.evict()
  expect(cache.size).toBe(1)
  expect(cache.get(userId(1n))).toBeUndefined()
})

test('open orders count, and those not yet written keep their wallet', () => {
  const cache = new CellCache({ maxCells: 1 })
  const wallet = cache.load(userId(7n), stored(1))
  written(wallet)
  cache.loadOpenOrders(wallet, new OpenOrders(userId(7n), { slots: new Map(), next: pos(0n) }))
  expect(cache.size).toBe(1)
  cache.takeOrders(wallet, orderOutput(1, orderUpdate(0, 1n, 'New'), orderUpdate(1, 2n, 'New')))
  // A balance, and two orders in two cells.
  expect(cache.size).toBe(5)
  cache.evict()
  expect(cache.get(userId(7n))).toBe(wallet)
  wallet.openOrders?.drain()
  cache.evict()
  expect([cache.get(userId(7n)), cache.size]).toEqual([undefined, 0])
})
