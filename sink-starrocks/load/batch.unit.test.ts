import { parse } from 'csv-parse/sync'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pos } from '../../core/ids.ts'
import { Batch, type ProgressOwner } from './batch.ts'
import { csvRow } from './csv-row.ts'
import type { TableRow } from './rows.ts'

const owner: ProgressOwner = { partition: 0, commit: async () => {} }
const at = (n: bigint) => ({ offset: n, n, pos: pos(n * 10n) })
const state = (key: string, rank: bigint, place: number, text: string): TableRow => ({
  table: 'balances',
  cells: [key, text],
  latest: { key, rank, place },
})

describe('Batch', () => {
  it('keeps, of rows that change, the highest of each key; of equals the last', () => {
    const batch = new Batch()
    batch.add(owner, at(1n), [state('a', 5n, 0, 'first'), state('b', 1n, 0, 'b')])
    batch.add(owner, at(2n), [state('a', 5n, 2, 'later place'), state('a', 5n, 1, 'earlier place')])
    batch.add(owner, at(3n), [state('a', 4n, 9, 'older')])
    batch.add(owner, at(4n), [state('b', 1n, 0, 'b again')])
    const { rows, body, form } = batch.bodyOf('balances')
    expect({ rows, form, body: body.toString() }).toEqual({
      rows: 2,
      form: 'plain',
      body: 'a\tlater place\nb\tb again\n',
    })
    expect(batch.rows).toBe(2)
    expect(batch.bytes).toBe('a\tfirst\n'.length + 'b\tb\n'.length)
  })

  it('counts records and rows, and keeps the last progress of each partition', () => {
    const batch = new Batch()
    const other: ProgressOwner = { partition: 1, commit: async () => {} }
    batch.add(owner, at(7n), [])
    batch.add(owner, at(8n), [{ table: 'ledger', cells: [1n, null], latest: null }])
    batch.add(other, at(3n), [{ table: 'ledger', cells: [2n, 'x'], latest: null }])
    expect([batch.records, batch.rows, batch.oldestPos]).toEqual([3, 2, 30n])
    expect([...batch.progress].map(([{ partition }, { n }]) => [partition, n])).toEqual([
      [0, 8n],
      [1, 3n],
    ])
    expect(batch.tables).toEqual(['ledger'])
    expect(batch.bodyOf('ledger').body.toString()).toBe('1\t\\N\n2\tx\n')
  })

  it('names its largest table first', () => {
    const batch = new Batch()
    batch.add(owner, at(1n), [
      { table: 'trades', cells: ['short'], latest: null },
      { table: 'ledger', cells: ['a long one'], latest: null },
      { table: 'orders', cells: ['a'], latest: null },
    ])
    expect(batch.tables).toEqual(['ledger', 'trades', 'orders'])
  })

  it('is enclosed as soon as one text needs it', () => {
    const batch = new Batch()
    batch.add(owner, at(1n), [{ table: 'orders', cells: ['plain'], latest: null }])
    expect(batch.bodyOf('orders').form).toBe('plain')
    batch.add(owner, at(2n), [{ table: 'orders', cells: ['a\tb'], latest: null }])
    expect(batch.bodyOf('orders')).toMatchObject({ form: 'enclosed', rows: 2 })
  })
})

describe('csvRow', () => {
  it('is read back as it was by any CSV reader, whatever the text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\\N', '"', '\t', '\n', '\r\n', '"\t"', "it's"),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.bigInt()), { minLength: 1 }), rows => {
        const lines = rows.map(cells => csvRow([...cells, null]))
        const enclosed = lines.some(({ form }) => form === 'enclosed')
        const read: string[][] = parse(lines.map(({ text: line }) => line).join(''), {
          delimiter: '\t',
          record_delimiter: '\n',
          quote: enclosed ? '"' : false,
        })
        expect(read).toEqual(rows.map(([words, number]) => [words, `${number}`, '\\N']))
      }),
    )
  })
})
