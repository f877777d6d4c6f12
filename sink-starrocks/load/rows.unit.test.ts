import { describe, expect, it } from 'vitest'
import type { OrderUpdate, Trade, UserRecord, UserShare } from '../../core/events.ts'
import { amount, assetId, orderId, pos, price, symbolId, tradeId, userId, version } from '../../core/ids.ts'
import { tableNamed } from '../../schemas/starrocks/tables.ts'
import { DisplayUnits } from './display-units.ts'
import { rowsOf } from './rows.ts'
import { tinyReference } from './testing/user-topic.ts'

const known = (): DisplayUnits => {
  const units = new DisplayUnits()
  units.learnRecord(tinyReference, pos(5n))
  return units
}
const head = { n: 5n, src: 3n, pos: pos(1_732_326_975_000_001n) }
const time = 1_732_326_975_123_456n
const shownTime = '2024-11-23 01:56:15.123456'

const trade: Trade = {
  trade: tradeId(11n),
  symbol: symbolId(7),
  // Cents per 10 satoshi.
  price: price(70n),
  quantity: amount(1_000n),
  quote: amount(7_000n),
  buyer: userId(1n),
  seller: userId(2n),
  buyOrder: orderId(21n),
  sellOrder: orderId(22n),
  taker: 'Sell',
  buyFee: amount(3n),
  buyFeeAsset: assetId(1),
  sellFee: amount(40n),
  sellFeeAsset: assetId(2),
}
const order: OrderUpdate = {
  order: orderId(21n),
  user: userId(1n),
  symbol: symbolId(7),
  side: 'Buy',
  type: 'Limit',
  timeInForce: 'GoodTillCancel',
  price: price(70n),
  quantity: amount(1_000n),
  filled: amount(0n),
  remaining: amount(1_000n),
  state: 'New',
  reason: '',
}
const output = (user: bigint, share: Partial<UserShare>): UserRecord => ({
  ...head,
  kind: 'UserOutput',
  time,
  user: userId(user),
  orders: [],
  trades: [],
  changes: [],
  ...share,
})

/** Rows with the names of their columns, as texts. */
const shown = (record: UserRecord, units = known()): Record<string, string | null>[] =>
  rowsOf(record, units).map(({ table, cells }) => {
    const { columns } = tableNamed(table)
    expect(cells.length).toBe(columns.length)
    return {
      table,
      ...Object.fromEntries(columns.map(({ name }, index) => [name, cells[index] === null ? null : `${cells[index]}`])),
    }
  })

describe('rowsOf', () => {
  it('makes a trade and the buyer’s side from the buyer’s record', () => {
    const rows = shown(output(1n, { trades: [{ index: 4, value: trade }] }))
    expect(rows).toEqual([
      {
        table: 'trades',
        trade_id: '11',
        time: shownTime,
        symbol_id: '7',
        price: '7000000',
        quantity: '0.00001000',
        quote_amount: '70.00',
        taker_side: 'Sell',
        buyer_id: '1',
        seller_id: '2',
        buy_order_id: '21',
        sell_order_id: '22',
        buy_fee: '0.00000003',
        buy_fee_asset_id: '1',
        sell_fee: '0.40',
        sell_fee_asset_id: '2',
        price_units: '70',
        quantity_units: '1000',
        quote_amount_units: '7000',
        buy_fee_units: '3',
        sell_fee_units: '40',
        pos: `${head.pos}`,
        idx: '4',
      },
      expect.objectContaining({
        table: 'user_trades',
        user_id: '1',
        side: 'Buy',
        order_id: '21',
        role: 'Maker',
        fee: '0.00000003',
      }),
    ])
  })

  it('makes only the seller’s side from the seller’s record', () => {
    expect(shown(output(2n, { trades: [{ index: 4, value: trade }] }))).toEqual([
      {
        table: 'user_trades',
        trade_id: '11',
        user_id: '2',
        side: 'Sell',
        time: shownTime,
        symbol_id: '7',
        order_id: '22',
        role: 'Taker',
        price: '7000000',
        quantity: '0.00001000',
        quote_amount: '70.00',
        fee: '0.40',
        fee_asset_id: '2',
        price_units: '70',
        quantity_units: '1000',
        quote_amount_units: '7000',
        fee_units: '40',
        pos: `${head.pos}`,
        idx: '4',
      },
    ])
  })

  it('makes all three rows of a trade with oneself', () => {
    const self = { ...trade, seller: userId(1n) }
    const rows = shown(output(1n, { trades: [{ index: 0, value: self }] }))
    expect(rows.map(each => [each['table'], each['side']])).toEqual([
      ['trades', undefined],
      ['user_trades', 'Buy'],
      ['user_trades', 'Sell'],
    ])
  })

  it('makes an event and a state of each order update; a market order has no price', () => {
    const market = { ...order, type: 'Market' as const, price: price(0n), reason: 'no\tmoney' }
    const rows = shown(
      output(1n, {
        orders: [
          { index: 0, value: order },
          { index: 2, value: market },
        ],
      }),
    )
    expect(rows.map(each => each['table'])).toEqual(['order_events', 'orders', 'order_events', 'orders'])
    expect(rows[1]).toEqual({
      table: 'orders',
      order_id: '21',
      user_id: '1',
      symbol_id: '7',
      side: 'Buy',
      type: 'Limit',
      time_in_force: 'GoodTillCancel',
      state: 'New',
      price: '7000000',
      quantity: '0.00001000',
      filled: '0.00000000',
      remaining: '0.00001000',
      price_units: '70',
      quantity_units: '1000',
      filled_units: '0',
      remaining_units: '1000',
      reason: '',
      time: shownTime,
      pos: `${head.pos}`,
      idx: '0',
    })
    expect(rows[2]).toMatchObject({ idx: '2', price: null, price_units: null, reason: 'no\tmoney' })
  })

  it('shows no amounts of an order that was rejected before its symbol was known, whatever is known now', () => {
    const rejected = { ...order, state: 'Rejected' as const, remaining: amount(0n) }
    const record = output(1n, { orders: [{ index: 0, value: rejected }] })
    const hidden = {
      price: null,
      quantity: null,
      filled: null,
      remaining: null,
      price_units: '70',
      quantity_units: '1000',
    }
    const late = new DisplayUnits()
    expect(shown(record, late)[0]).toMatchObject(hidden)
    late.learnRecord(tinyReference, pos(head.pos + 1n))
    expect(shown(record, late)[0]).toMatchObject(hidden)
    late.learnRecord(tinyReference, pos(head.pos + 9n))
    expect(shown(record, late)[0]).toMatchObject(hidden)
    late.learnRecord(tinyReference, head.pos)
    expect(shown(record, late)[0]).toMatchObject({ quantity: '0.00001000' })
    expect(() => shown(output(1n, { orders: [{ index: 0, value: order }] }), new DisplayUnits())).toThrow(/symbol 7/)
  })

  it('makes a ledger row and a balance of each change, exact at the edges of int64', () => {
    const change = {
      user: userId(1n),
      asset: assetId(1),
      deltaAvailable: amount(-(2n ** 63n)),
      deltaFrozen: amount(1n),
      available: amount(2n ** 63n - 1n),
      frozen: amount(1n),
      version: version(9n),
      reason: 'Deposit' as const,
      ref: 77n,
    }
    expect(shown(output(1n, { changes: [{ index: 3, value: change }] }))).toEqual([
      {
        table: 'ledger',
        user_id: '1',
        asset_id: '1',
        version: '9',
        time: shownTime,
        reason: 'Deposit',
        ref_id: '77',
        delta_available: '-92233720368.54775808',
        delta_frozen: '0.00000001',
        available: '92233720368.54775807',
        frozen: '0.00000001',
        delta_available_units: '-9223372036854775808',
        delta_frozen_units: '1',
        available_units: '9223372036854775807',
        frozen_units: '1',
        pos: `${head.pos}`,
        idx: '3',
      },
      {
        table: 'balances',
        user_id: '1',
        asset_id: '1',
        available: '92233720368.54775807',
        frozen: '0.00000001',
        available_units: '9223372036854775807',
        frozen_units: '1',
        version: '9',
        time: shownTime,
        pos: `${head.pos}`,
      },
    ])
  })

  it('shows a correction at its pos, not at the operator’s clock', () => {
    const command = { id: 'c', who: 'w', why: 'y', time: 1n }
    const correction = {
      user: userId(1n),
      asset: assetId(2),
      version: version(4n),
      available: amount(150n),
      frozen: amount(0n),
      deltaAvailable: amount(50n),
      deltaFrozen: amount(0n),
    }
    const rows = shown({ ...head, kind: 'UserCorrection', command, correction })
    expect(rows[0]).toMatchObject({
      reason: 'Correction',
      ref_id: '0',
      idx: '0',
      time: '2024-11-23 01:56:15.000001',
      available: '1.50',
    })
    expect(rows[1]).toMatchObject({ table: 'balances', version: '4', available_units: '150' })
  })

  it('makes reference rows, from which amounts are known on', () => {
    const units = new DisplayUnits()
    const rows = shown({ ...head, kind: 'UserReference', time, reference: tinyReference }, units)
    expect(rows.map(each => [each['table'], each['name']])).toEqual([
      ['assets', 'BTC'],
      ['assets', 'EUR'],
      ['symbols', 'BTC/EUR'],
      ['stream_meta', 'house'],
    ])
    expect(rows[0]).toMatchObject({ decimals: '8', unit: '0.00000001' })
    expect(rows[2]).toMatchObject({ since_pos: `${head.pos}`, pos: `${head.pos}` })
    expect(rows[3]).toEqual({ table: 'stream_meta', name: 'house', value: '9', pos: `${head.pos}` })
    expect(units.amount(assetId(2), 5n)).toBe('0.05')
  })
})

describe('DisplayUnits', () => {
  const units = (base: number, quote: number, lot: bigint): DisplayUnits => {
    const made = new DisplayUnits()
    made.learn({
      assets: [
        { asset: assetId(1), decimals: base },
        { asset: assetId(2), decimals: quote },
      ],
      symbols: [{ symbol: symbolId(1), base: assetId(1), quote: assetId(2), lot, since: 1n }],
    })
    return made
  }
  const priced = (made: DisplayUnits, value: bigint): string => made.symbol(symbolId(1)).price(price(value))

  it.each([
    [8, 2, 1n, 1n, '1000000'],
    [8, 2, 1_000_000n, 12_345n, '12345'],
    [8, 6, 100_000_000n, 12_345_678n, '12.345678'],
    [0, 18, 1n, 1n, '0.000000000000000001'],
    [0, 18, 1_000n, 5_000n, '0.000000000000000005'],
  ])('price: %s and %s decimals, lot %s: %s → %s', (base, quote, lot, value, text) =>
    expect(priced(units(base, quote, lot), value)).toBe(text),
  )

  it('refuses a price that 18 digits after the point or 20 before it can not hold', () => {
    expect(() => priced(units(0, 18, 10n), 1n)).toThrow(/price of 1 of symbol 1 has 19 digits/)
    expect(() => priced(units(18, 0, 1n), 100n)).toThrow(/can't show it exactly/)
    expect(() => priced(units(18, 0, 1n), -100n)).toThrow(/can't show it exactly/)
    expect(priced(units(18, 0, 1n), 99n)).toBe('99000000000000000000')
  })

  it('refuses decimals that changed or that DECIMAL(38,18) can not show, and what it never heard of', () => {
    const made = units(8, 2, 1n)
    expect(() => made.learn({ assets: [{ asset: assetId(1), decimals: 9 }], symbols: [] })).toThrow(/had 8 decimals/)
    expect(() => made.learn({ assets: [{ asset: assetId(3), decimals: 19 }], symbols: [] })).toThrow(/19 decimals/)
    expect(() => made.amount(assetId(4), 1n)).toThrow(/asset 4 is in no reference data/)
    expect(() => made.symbol(symbolId(4))).toThrow(/symbol 4 is in no reference data/)
  })
})
