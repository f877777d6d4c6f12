import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { orderId, pos } from '../../core/ids.ts'
import { bucketRules, countedItems, idBlock, openOrderSlot, openOrderSlots } from './placement.ts'

describe('places never change: the store holds what was put there before', () => {
  test('slots of orders', () => {
    expect(
      [0n, 1n, 2n, 1000n, 2n ** 40n, 2n ** 63n - 1n, -1n].map(id => openOrderSlot(orderId(id))),
    ).toMatchInlineSnapshot(`
      [
        0,
        23,
        6,
        24,
        27,
        0,
        28,
      ]
    `)
  })

  test('blocks of orders and trades', () => {
    expect(
      [0n, 1n, 255n, 256n, 511n, 2n ** 40n, 2n ** 63n - 1n, -1n].map(id => idBlock(orderId(id))),
    ).toMatchInlineSnapshot(`
      [
        0n,
        0n,
        0n,
        1n,
        1n,
        4294967296n,
        36028797018963967n,
        -1n,
      ]
    `)
  })

  test('records that are counted', () => {
    const first = 1_700_000_000_000_000n
    const counted = Array.from({ length: 400 }, (_, at) => at).filter(
      at => countedItems(pos(first + BigInt(at)), 1, bucketRules) > 0,
    )
    expect(counted).toMatchInlineSnapshot(`
      [
        86,
        109,
        155,
        261,
      ]
    `)
  })
})

const step = fc.oneof(fc.constantFrom(1n, 64n, 1000n, 832_040n, 1_000_000n, 2n ** 32n), fc.bigInt(1n, 10_000_000n))

test('one record in 64 is counted, whatever the steps between them', () => {
  fc.assert(
    fc.property(fc.bigInt(1_600_000_000_000_000n, 2_000_000_000_000_000n), step, (first, by) => {
      let counted = 0
      for (let at = 0n; at < 20_000n; at++) counted += countedItems(pos(first + at * by), 1, bucketRules)
      // Five standard deviations of 312.5 records, 64 each.
      expect(Math.abs(counted - 20_000)).toBeLessThan(64 * 90)
    }),
  )
})

test('a heavy record is counted always and for itself, an empty one as one item', () => {
  const first = 1_700_000_000_000_000n
  const sums = new Set(Array.from({ length: 500 }, (_, at) => countedItems(pos(first + BigInt(at)), 64, bucketRules)))
  expect(sums).toEqual(new Set([64]))
  expect(
    new Set(Array.from({ length: 500 }, (_, at) => countedItems(pos(first + BigInt(at)), 0, bucketRules))),
  ).toEqual(new Set([0, 64]))
})

test('orders spread evenly over the slots, whatever the steps between their ids', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 50n), step, (first, by) => {
      const slots = Array.from({ length: openOrderSlots }, () => 0)
      for (let at = 0n; at < 6400n; at++) {
        const slot = openOrderSlot(orderId(first + at * by))
        slots[slot] = (slots[slot] ?? 0) + 1
      }
      // 200 each, six standard deviations.
      for (const each of slots) expect(Math.abs(each - 200)).toBeLessThan(85)
    }),
  )
})
