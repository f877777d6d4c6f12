import type { OrderUpdate, UserOutput } from '../../core/events.ts'
import type { OrderId, Pos, UserId } from '../../core/ids.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import { openOrderSlot } from '../../schemas/cql/placement.ts'
import { openOrdersRow } from './rows.ts'
import { Unwritten } from './unwritten.ts'

/** An order that may still trade, as its last change left it. */
export type OpenOrder = Omit<OrderUpdate, 'user' | 'reason'> & { readonly pos: Pos; readonly time: bigint }

/** One cell: the user's open orders that belong in it, ascending by id, and the pos of the record that made it so. */
export type OpenOrderSlot = { readonly orders: readonly OpenOrder[]; readonly pos: Pos }

/**
 * A user's open orders, spread over a fixed number of cells by their ids. A cell is written whole, so that an order
 * that closes leaves no tombstone: whoever cancels a million orders has as few rows as anybody else.
 */
export class OpenOrders {
  readonly #user: UserId
  readonly #slots: Map<number, OpenOrderSlot>
  /** Loaded, and not written again by this owner. */
  readonly #loaded: Set<number>
  readonly #unwritten = new Unwritten<number>()
  #size: number

  constructor(user: UserId, slots: ReadonlyMap<number, OpenOrderSlot>) {
    this.#user = user
    this.#slots = new Map(slots)
    this.#loaded = new Set(slots.keys())
    this.#size = [...slots.values()].reduce((sum, { orders }) => sum + orders.length, slots.size)
  }

  /** Cells and the orders in them. */
  get size(): number {
    return this.#size
  }

  get isWritten(): boolean {
    return this.#unwritten.isEmpty
  }

  /** The user's next record; one that a cell has seen changes nothing in it. */
  take(record: UserOutput): void {
    for (const [at, updates] of lastUpdates(record)) {
      const slot = this.#slots.get(at)
      if (slot && record.pos <= slot.pos) this.#reassert(at)
      else this.#apply({ at, slot, updates, record })
    }
  }

  /** The cells to be written, as they are now. */
  drain(): CqlStatement[] {
    return this.#unwritten.drain().map(at => openOrdersRow(this.#user, at, this.#slots.get(at) as OpenOrderSlot))
  }

  /**
   * What a quorum read may have been seen by one replica alone. A cell that is in doubt so comes from a record that is
   * read again, so it is enough to write it again when a record that it has seen comes by.
   */
  #reassert(at: number): void {
    if (this.#loaded.delete(at)) this.#unwritten.add(at)
  }

  #apply({ at, slot, updates, record }: Applying): void {
    const before = slot?.orders ?? []
    const isUpdated = among(updates)
    const others = before.filter(each => !isUpdated(each.order))
    const open = updates.filter(each => isOpen(each.state)).map(each => openOrderOf(each, record))
    // Nothing of it was open before or is now: new and filled, or rejected, in one record.
    if (open.length === 0 && others.length === before.length) return
    const orders = [...others, ...open].sort((a, b) => (a.order < b.order ? -1 : 1))
    this.#slots.set(at, { orders: orders.length > 0 ? orders : none, pos: record.pos })
    this.#size += orders.length - before.length + (slot ? 0 : 1)
    this.#loaded.delete(at)
    this.#unwritten.add(at)
  }
}

/** Most cells, once a user has traded for long: one list for all of them. */
const none: readonly OpenOrder[] = []

type Applying = {
  readonly at: number
  readonly slot: OpenOrderSlot | undefined
  /** Each of another order. */
  readonly updates: readonly OrderUpdate[]
  readonly record: UserOutput
}

/** By slot, each order's last update in a record; most have one. */
const lastUpdates = ({ orders }: UserOutput): Iterable<readonly [number, readonly OrderUpdate[]]> => {
  const [first] = orders
  if (first && orders.length === 1) return [[openOrderSlot(first.value.order), [first.value]]]
  const slots = new Map<number, Map<OrderId, OrderUpdate>>()
  for (const { value } of orders) {
    const at = openOrderSlot(value.order)
    const updates = slots.get(at) ?? new Map<OrderId, OrderUpdate>()
    slots.set(at, updates.set(value.order, value))
  }
  return [...slots].map(([at, updates]) => [at, [...updates.values()]])
}

const among = (updates: readonly OrderUpdate[]): ((order: OrderId) => boolean) => {
  const [only] = updates
  if (only && updates.length === 1) return order => order === only.order
  const orders = new Set(updates.map(({ order }) => order))
  return order => orders.has(order)
}

/** Field by field: an object made from the rest of another is made several times as slowly. */
const openOrderOf = (update: OrderUpdate, { pos, time }: UserOutput): OpenOrder => ({
  order: update.order,
  symbol: update.symbol,
  side: update.side,
  type: update.type,
  timeInForce: update.timeInForce,
  price: update.price,
  quantity: update.quantity,
  filled: update.filled,
  remaining: update.remaining,
  state: update.state,
  pos,
  time,
})
