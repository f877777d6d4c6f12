import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cell } from '../../core/fold.ts'
import { type AssetId, amount, assetId, pos, version } from '../../core/ids.ts'
import { CellTable, WalletCells } from './cell-table.ts'

const lowest = -(2n ** 63n)
const int64 = fc.bigInt({ min: lowest, max: -lowest - 1n })
const anyCell: fc.Arbitrary<Cell> = fc
  .tuple(int64, int64, int64, int64)
  .map(([a, b, c, d]) => ({ available: amount(a), frozen: amount(b), version: version(c), pos: pos(d) }))

test('wallets of one table say what maps would, however many come and go', () => {
  const wallet = fc.nat(3)
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ wallet, asset: fc.nat(5).map(assetId), cell: anyCell }) },
    { weight: 1, arbitrary: fc.record({ wallet }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const table = new CellTable()
      const wallets = Array.from({ length: 4 }, () => new WalletCells(table, []))
      const expected = wallets.map(() => new Map<AssetId, Cell>())
      for (const each of steps) {
        const [cells, map] = [wallets[each.wallet] as WalletCells, expected[each.wallet] as Map<AssetId, Cell>]
        if ('asset' in each) {
          cells.set(each.asset, each.cell)
          map.set(each.asset, each.cell)
        } else {
          cells.clear()
          map.clear()
        }
      }
      for (const [index, map] of expected.entries()) {
        const cells = wallets[index] as WalletCells
        expect([...cells]).toEqual([...map])
        expect([...cells.values()]).toEqual([...map.values()])
        expect(cells.size).toBe(map.size)
        for (let id = 0; id <= 6; id++) expect(cells.get(assetId(id))).toEqual(map.get(assetId(id)))
      }
    }),
  )
})

test('a table of many cells keeps them all, and takes again the places that were given back', () => {
  const table = new CellTable()
  const cell = (at: number): Cell => ({
    ...{ available: amount(BigInt(at)), frozen: amount(-1n) },
    ...{ version: version(2n), pos: pos(3n) },
  })
  const places = Array.from({ length: 5000 }, (_, at) => table.add(cell(at)))
  expect(places.map(place => table.read(place))).toEqual(places.map((_, at) => cell(at)))
  table.remove(places[7] as number)
  expect(table.add(cell(70))).toBe(places[7])
  expect(table.add(cell(5000))).toBe(5000)
})
