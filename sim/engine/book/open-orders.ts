import { Book } from './book.ts'
import type { OpenOrder } from './open-order.ts'

/** All resting orders: in their books, by number, by user, by the submitter's number, and by the time they expire. */
export class OpenOrders {
  readonly #byId = new Map<bigint, OpenOrder>()
  readonly #byUser = new Map<bigint, Map<bigint, OpenOrder>>()
  readonly #byClient = new Map<bigint, OpenOrder>()
  readonly #books = new Map<number, Book>()
  /** Soonest last; orders that closed earlier are passed over when their time comes. */
  readonly #expiring: OpenOrder[] = []

  book(symbol: number): Book {
    let book = this.#books.get(symbol)
    if (!book) this.#books.set(symbol, (book = new Book()))
    return book
  }

  add(order: OpenOrder): void {
    this.#byId.set(order.order, order)
    let own = this.#byUser.get(order.user)
    if (!own) this.#byUser.set(order.user, (own = new Map()))
    own.set(order.order, order)
    if (order.client !== 0n) this.#byClient.set(order.client, order)
    if (order.expiresAtUs !== 0n) this.#schedule(order)
    this.book(order.symbol).add(order)
  }

  remove(order: OpenOrder): void {
    this.#byId.delete(order.order)
    this.#byUser.get(order.user)?.delete(order.order)
    if (order.client !== 0n) this.#byClient.delete(order.client)
    this.book(order.symbol).remove(order)
  }

  get(order: bigint): OpenOrder | undefined {
    return this.#byId.get(order)
  }

  byClient(client: bigint): OpenOrder | undefined {
    return this.#byClient.get(client)
  }

  /** A user's open orders, oldest first. */
  ofUser(user: bigint): ReadonlyMap<bigint, OpenOrder> {
    return this.#byUser.get(user) ?? noOrders
  }

  /** Every open order, oldest first: the order in which a snapshot must add them again. */
  all(): OpenOrder[] {
    return [...this.#byId.values()]
  }

  /** The order that expires first. */
  soonestExpiry(): OpenOrder | null {
    for (let last = this.#expiring.at(-1); last; last = this.#expiring.at(-1)) {
      if (this.#byId.has(last.order)) return last
      this.#expiring.pop()
    }
    return null
  }

  #schedule(order: OpenOrder): void {
    let low = 0
    let high = this.#expiring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (expiresBefore(order, this.#expiring[middle] as OpenOrder)) low = middle + 1
      else high = middle
    }
    this.#expiring.splice(low, 0, order)
  }
}

const noOrders: ReadonlyMap<bigint, OpenOrder> = new Map()

const expiresBefore = (a: OpenOrder, b: OpenOrder): boolean =>
  a.expiresAtUs === b.expiresAtUs ? a.order < b.order : a.expiresAtUs < b.expiresAtUs
