import type { Side } from '../../../core/events.ts'
import type { OpenOrder } from './open-order.ts'

type Node = { readonly order: OpenOrder; readonly level: Level; before: Node | null; after: Node | null }
type Level = { readonly price: bigint; first: Node | null; last: Node | null }

/**
 * One side of a symbol's book. Levels are sorted so that the best price is the last; the orders of a level form a
 * linked list in order of arrival, so that a sweep of thousands and a cancel in the middle both cost O(1) an order.
 */
class BookSide {
  readonly #levels: Level[] = []
  readonly #nodes = new Map<bigint, Node>()
  readonly #isBetter: (a: bigint, b: bigint) => boolean

  constructor(side: Side) {
    this.#isBetter = side === 'Buy' ? (a, b) => a > b : (a, b) => a < b
  }

  /** The first order of the best price. */
  best(): OpenOrder | null {
    return this.#levels.at(-1)?.first?.order ?? null
  }

  add(order: OpenOrder): void {
    const level = this.#level(order.price)
    const node: Node = { order, level, before: level.last, after: null }
    if (level.last) level.last.after = node
    else level.first = node
    level.last = node
    this.#nodes.set(order.order, node)
  }

  remove(order: bigint): void {
    const node = this.#nodes.get(order)
    if (!node) throw new Error(`order ${order} is not in the book`)
    this.#nodes.delete(order)
    const { level, before, after } = node
    if (before) before.after = after
    else level.first = after
    if (after) after.before = before
    else level.last = before
    if (!level.first) this.#levels.splice(this.#place(level.price), 1)
  }

  #level(price: bigint): Level {
    const at = this.#place(price)
    const found = this.#levels[at]
    if (found?.price === price) return found
    const level: Level = { price, first: null, last: null }
    this.#levels.splice(at, 0, level)
    return level
  }

  /** Where that price stands, or would stand, among the levels. */
  #place(price: bigint): number {
    let low = 0
    let high = this.#levels.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isBetter(price, (this.#levels[middle] as Level).price)) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** A symbol's resting orders in price–time priority. */
export class Book {
  readonly #buys = new BookSide('Buy')
  readonly #sells = new BookSide('Sell')

  /** The order that the next taker of the other side would meet. */
  best(side: Side): OpenOrder | null {
    return this.#side(side).best()
  }

  add(order: OpenOrder): void {
    this.#side(order.side).add(order)
  }

  remove(order: OpenOrder): void {
    this.#side(order.side).remove(order.order)
  }

  #side(side: Side): BookSide {
    return side === 'Buy' ? this.#buys : this.#sells
  }
}
