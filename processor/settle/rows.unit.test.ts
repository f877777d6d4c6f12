import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { OrderUpdate } from '../../core/events.ts'
import { pos, userId } from '../../core/ids.ts'
import { type TinyCommand, TinyExchange } from '../../core/testing/tiny-exchange.ts'
import type { CqlParam, CqlTuple } from '../../runtime/cql/port.ts'
import { historyRow, openOrdersRow } from './rows.ts'

const ddl = readFileSync(new URL('../../schemas/cql/001-tables.cql', import.meta.url), 'utf8')

/** A type's fields, in its order. */
const fieldsOf = (type: string): string[] => {
  const [, body = ''] = new RegExp(`CREATE TYPE IF NOT EXISTS ${type} \\(([^)]*)\\)`).exec(ddl) ?? []
  return [...body.matchAll(/^ {2}(\w+) /gm)].map(([, name = '']) => name)
}
const keysOf = (list: CqlParam | undefined): string[] => Object.keys((list as readonly object[])[0] ?? {})

test('the fields of a UDT are in the order of its type: the bytes that are sent have no names', () => {
  const exchange = new TinyExchange()
  const deposit = (user: number, asset: number): TinyCommand => ({ kind: 'deposit', user, asset, amount: 100_000 })
  const place = (user: number, side: 'Buy' | 'Sell'): TinyCommand => ({
    kind: 'place',
    user,
    side,
    price: 7,
    lots: 1,
    life: 'rest',
  })
  const outputs = [deposit(1, 1), deposit(2, 2), place(1, 'Sell'), place(2, 'Buy')].map(each => exchange.take(each))
  const indexed = <T>(values: readonly T[]) => values.map((value, index) => ({ index, value }))
  const { orders, trades, changes, time } = outputs.at(-1) as (typeof outputs)[number]
  const at = { user: userId(2n), pos: pos(9n), time }
  const { params } = historyRow(
    { ...at, orders: indexed(orders), trades: indexed(trades), changes: indexed(changes) },
    { from: pos(1n), items: 1n, pos: pos(9n) },
  )
  expect(keysOf(params[4])).toEqual(fieldsOf('order_update'))
  expect(keysOf(params[5])).toEqual(fieldsOf('trade'))
  expect(keysOf(params[6])).toEqual(fieldsOf('posting'))
  const open = { ...(orders[0] as OrderUpdate), ...at, state: 'New' } as const
  const cell = openOrdersRow(at.user, 0, { orders: [open], pos: at.pos }).params[2] as CqlTuple
  expect(keysOf(cell.elements[0])).toEqual(fieldsOf('open_order'))
})
