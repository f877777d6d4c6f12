import type { OrderState, OrderUpdate } from './events.ts'

export type OrderRefusal = {
  readonly kind: /** Quantity, price, filled, remaining and state of this update contradict each other. */
    | 'Inconsistent'
    /** An order's first update is neither New nor Rejected. */
    | 'NotFirst'
    /** Something follows a state that nothing follows. */
    | 'AfterClosed'
    /** User, symbol, side, type, time in force or price differ from the update before. */
    | 'Altered'
    /** A state that may not follow the one before. */
    | 'StateOrder'
    | 'FilledFell'
    | 'QuantityRose'
    /** A reduction that is more than a reduction, or an update that changes nothing. */
    | 'BadReduction'
  readonly update: OrderUpdate
  readonly message: string
}

/** New and PartiallyFilled orders may still trade; nothing follows the other states. */
export const isOpen = (state: OrderState): boolean => {
  switch (state) {
    case 'New':
    case 'PartiallyFilled':
      return true
    case 'Filled':
    case 'Cancelled':
    case 'Rejected':
    case 'Expired':
      return false
  }
}

const refusal = (kind: OrderRefusal['kind'], update: OrderUpdate, why: string): OrderRefusal => ({
  kind,
  update,
  message: `order ${update.order} of user ${update.user}, ${update.state}: ${why}`,
})

/** Whether one update is consistent in itself, whatever came before it. A rejected order may carry any quantity and price. */
export const checkOrder = (update: OrderUpdate): OrderRefusal | null => {
  const { state, quantity, filled, remaining, type, price } = update
  const refuse = (why: string): OrderRefusal => refusal('Inconsistent', update, why)
  const left = isOpen(state) ? quantity - filled : 0n
  if (remaining !== left) return refuse(`remaining ${remaining} where ${left} is left of ${quantity}, ${filled} filled`)
  if (state === 'Rejected') return filled === 0n ? null : refuse(`a rejected order has ${filled} filled`)
  if (quantity <= 0n) return refuse(`quantity ${quantity} is not positive`)
  if (type === 'Limit' && price <= 0n) return refuse(`limit price ${price} is not positive`)
  if (type === 'Market' && price !== 0n) return refuse(`a market order has price ${price}, not 0`)
  if (filled < 0n || filled > quantity) return refuse(`filled ${filled} of ${quantity}`)
  if ((state === 'Filled') !== (filled === quantity)) return refuse(`filled ${filled} of ${quantity}`)
  if (state === 'New' && filled !== 0n) return refuse(`a new order has ${filled} filled`)
  if (state === 'PartiallyFilled' && filled === 0n) return refuse('nothing is filled')
  return null
}

/**
 * Whether an update may follow the one before it (undefined: it is the order's first).
 *
 * - First comes New, or Rejected, and nothing after Rejected. An order that trades at once is New first and has its
 *   later state as a second update of the same output.
 * - PartiallyFilled and Filled: filled has grown. Cancelled and Expired: filled may have grown by trades of the same
 *   output, since an output says an order's state once after all its trades (an IOC order that fills in part is New,
 *   then Expired). Filled never falls.
 * - A reduction keeps state and filled and lowers quantity to above filled; every other update keeps quantity. A
 *   reduction of all that remains is a cancel: Cancelled, with quantity as it was.
 * - User, symbol, side, type, time in force and price never change.
 */
export const followOrder = (previous: OrderUpdate | undefined, next: OrderUpdate): OrderRefusal | null => {
  const inconsistent = checkOrder(next)
  if (inconsistent) return inconsistent
  const refuse = (kind: OrderRefusal['kind'], why: string): OrderRefusal => refusal(kind, next, why)
  if (!previous)
    return next.state === 'New' || next.state === 'Rejected'
      ? null
      : refuse('NotFirst', 'it is the first update of the order, which is New or Rejected')
  if (!isOpen(previous.state)) return refuse('AfterClosed', `nothing follows ${previous.state}`)
  const altered = fixedFields.find(field => previous[field] !== next[field])
  if (altered) return refuse('Altered', `${altered} was ${previous[altered]} and is ${next[altered]}`)
  if (next.filled < previous.filled)
    return refuse('FilledFell', `filled fell from ${previous.filled} to ${next.filled}`)
  if (next.quantity > previous.quantity)
    return refuse('QuantityRose', `quantity rose from ${previous.quantity} to ${next.quantity}`)
  return next.quantity < previous.quantity ? followReduction(previous, next) : followState(previous, next)
}

const fixedFields = ['order', 'user', 'symbol', 'side', 'type', 'timeInForce', 'price'] as const

const followReduction = (previous: OrderUpdate, next: OrderUpdate): OrderRefusal | null =>
  next.state === previous.state && next.filled === previous.filled
    ? null
    : refusal(
        'BadReduction',
        next,
        `a reduction from ${previous.quantity} to ${next.quantity} keeps the state ${previous.state} and ${previous.filled} filled`,
      )

const followState = (previous: OrderUpdate, next: OrderUpdate): OrderRefusal | null => {
  const grown = next.filled > previous.filled
  switch (next.state) {
    case 'New':
      return previous.state === 'New'
        ? refusal('BadReduction', next, 'it changes nothing')
        : refusal('StateOrder', next, `it follows ${previous.state}`)
    case 'Rejected':
      return refusal('StateOrder', next, `it follows ${previous.state}; only an order's first update rejects it`)
    case 'PartiallyFilled':
    case 'Filled':
      return grown ? null : refusal('StateOrder', next, `filled is still ${next.filled}`)
    case 'Cancelled':
    case 'Expired':
      return null
  }
}
