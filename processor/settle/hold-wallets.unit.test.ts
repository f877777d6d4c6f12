import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { emptyCell } from '../../core/fold.ts'
import { assetId, pos, userId, version } from '../../core/ids.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import { CellCache } from './cell-cache.ts'
import { holdWallets } from './hold-wallets.ts'

const cell = { ...emptyCell, version: version(3n), pos: pos(3n) }

test.each([
  ['known', true],
  ['that the store has nothing of', false],
])('a wallet %s stays while its open orders are read, whatever is evicted meanwhile', async (_, isKnown) => {
  const user = userId(7n)
  const orders = Promise.withResolvers<[]>()
  const cql: Pick<CqlPort, 'query'> = {
    query: text => (text.includes('open_orders') ? orders.promise : Promise.resolve([])),
  }
  const cache = new CellCache({ maxCells: 0 })
  const known = isKnown ? cache.load(user, { cells: new Map([[assetId(1), cell]]), bucket: null }) : undefined
  known?.unwritten.drain()
  const holding = holdWallets([{ user, pos: pos(9n), hasOrders: true }], {
    ...{ cql: cql as CqlPort, cache, signal: new AbortController().signal },
    proveReads: () => Promise.resolve(),
  })
  await nextTurn()
  cache.evict()
  orders.resolve([])
  const wallet = (await holding).get(user)
  expect(wallet).toBe(cache.get(user))
  expect(wallet?.cells.get(assetId(1))).toEqual(known && cell)
  expect(cache.size).toBe(1)
})
