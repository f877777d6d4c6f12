import type { Amount, Price } from './ids.ts'

/** An amount outside int64, or a sum over users outside 38 digits. Never rounded, never wrapped. */
export class MoneyOverflow extends Error {
  override readonly name = 'MoneyOverflow'
  readonly code = 'money-overflow'
}

/** A division of money that leaves a remainder: which one, and what is left. */
export class MoneyInexact extends Error {
  override readonly name = 'MoneyInexact'
  readonly code = 'money-inexact'
}

export const maxAmount: Amount = (2n ** 63n - 1n) as Amount
export const minAmount: Amount = -(2n ** 63n) as Amount
/** Sums over users are decimal(38): this is the largest magnitude. */
export const maxSum: bigint = 10n ** 38n - 1n

/** True for what fits an int64. */
export const isAmount = (value: bigint): value is Amount => value >= minAmount && value <= maxAmount

const checked = (value: bigint, how: () => string): Amount => {
  if (!isAmount(value)) throw new MoneyOverflow(`${how()} = ${value}, which does not fit an int64 amount`)
  return value
}

/** left + right, in one asset's smallest unit. @throws MoneyOverflow beyond int64 */
export const add = (left: Amount, right: Amount): Amount => checked(left + right, () => `${left} + ${right}`)

/** left − right, in one asset's smallest unit. @throws MoneyOverflow beyond int64 */
export const subtract = (left: Amount, right: Amount): Amount => checked(left - right, () => `${left} - ${right}`)

/**
 * price · quantity / lot: the exact quote amount of a quantity (base smallest units) at a price (quote smallest units
 * per lot). The product may be wider than int64; the result may not.
 * @throws MoneyInexact when it does not divide (or lot is not positive), MoneyOverflow beyond int64
 */
export const mulDiv = (price: Price, quantity: Amount, lot: Amount): Amount => {
  const how = (): string => `${price} * ${quantity} / ${lot}`
  if (lot <= 0n) throw new MoneyInexact(`${how()}: a lot is a positive amount`)
  const product = price * quantity
  if (product % lot !== 0n) throw new MoneyInexact(`${how()} leaves a remainder of ${product % lot}`)
  return checked(product / lot, how)
}

/** A sum over users plus one more term; plain bigint, since it outgrows an int64. @throws MoneyOverflow beyond 38 digits */
export const addToSum = (sum: bigint, term: bigint): bigint => {
  const result = sum + term
  if (result > maxSum || result < -maxSum)
    throw new MoneyOverflow(`${sum} + ${term} = ${result}, which does not fit a sum of 38 digits`)
  return result
}
