import fc from 'fast-check'
import { expect, test } from 'vitest'
import { amount, price } from './ids.ts'
import {
  add,
  addToSum,
  isAmount,
  MoneyInexact,
  MoneyOverflow,
  maxAmount,
  maxSum,
  minAmount,
  mulDiv,
  subtract,
} from './money.ts'

const anyAmount = fc.bigInt(minAmount, maxAmount).map(amount)

test('add and subtract are exact inside int64 and refused outside', () => {
  fc.assert(
    fc.property(anyAmount, anyAmount, (a, b) => {
      if (isAmount(a + b)) expect(add(a, b)).toBe(a + b)
      else expect(() => add(a, b)).toThrow(MoneyOverflow)
      if (isAmount(a - b)) expect(subtract(a, b)).toBe(a - b)
      else expect(() => subtract(a, b)).toThrow(MoneyOverflow)
    }),
  )
  expect(add(subtract(maxAmount, amount(1n)), amount(1n))).toBe(maxAmount)
  expect(() => add(maxAmount, amount(1n))).toThrow(
    '9223372036854775807 + 1 = 9223372036854775808, which does not fit an int64 amount',
  )
  expect(() => subtract(minAmount, amount(1n))).toThrow('-9223372036854775808 - 1 = -9223372036854775809')
})

test('mulDiv is exact over a wide product, and refuses a remainder', () => {
  expect(mulDiv(price(2n ** 62n), amount(10n ** 9n), amount(10n ** 9n))).toBe(2n ** 62n)
  expect(() => mulDiv(price(2n ** 62n), amount(2n), amount(1n))).toThrow(MoneyOverflow)
  expect(() => mulDiv(price(7n), amount(5n), amount(10n))).toThrow('7 * 5 / 10 leaves a remainder of 5')
  expect(() => mulDiv(price(7n), amount(5n), amount(0n))).toThrow(MoneyInexact)
})

test('sums over users hold 38 digits and no more', () => {
  expect(maxSum.toString()).toBe('9'.repeat(38))
  expect(addToSum(maxSum - 1n, 1n)).toBe(maxSum)
  expect(() => addToSum(maxSum, 1n)).toThrow(MoneyOverflow)
  expect(() => addToSum(-maxSum, -1n)).toThrow(MoneyOverflow)
})
