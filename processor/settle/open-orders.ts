import type { OrderUpdate, UserOutput } from '../../core/events.ts'
import type { OrderId, Pos, UserId } from '../../core/ids.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import { openOrderSlot } from '../../schemas/cql/placement.ts'
import { openOrdersRow } from './rows.ts'

/** An order that may still trade, as its last change left it. */
export type OpenOrder = Omit<OrderUpdate, 'user' | 'reason'> & { readonly pos: Pos; readonly time: bigint }

/** One cell: the user's open orders that belong in it, ascending by id, and the pos of the record that made it so. */
export type OpenOrderSlot = { readonly orders: readonly OpenOrder[]; readonly pos: Pos }

/** What the store says of a user's cells, and the pos of the user's first record to come. */
export type StoredOrders = { readonly slots: ReadonlyMap<number, OpenOrderSlot>; readonly next: Pos }

type Slot = OpenOrderSlot & {
  readonly at: number
  /** `loaded`: not written again by this owner. `unwritten`: the store has yet to be given it. */
  readonly state: 'loaded' | 'unwritten' | 'written'
}

/**
 * A user's open orders, spread over a fixed number of cells by their ids. A cell is written whole, so that an order
 * that closes leaves no tombstone: whoever cancels a million orders has as few rows as anybody else. Once a user has
 * traded for long all of its cells are there and most are empty, so those are forgotten: to a record that is newer than
 * an empty cell it is as good as none.
 */
export class OpenOrders {
  readonly #user: UserId
  /** Few: to look through all costs less than an index. */
  #slots: readonly Slot[]
  /** Up to here no record comes any more. */
  #seen: Pos

  constructor(user: UserId, { slots, next }: StoredOrders) {
    this.#user = user
    this.#seen = (next - 1n) as Pos
    this.#slots = this.#worthKeeping(Array.from(slots, ([at, slot]) => ({ ...slot, at, state: 'loaded' })))
  }

  /** Cells that are kept, and the orders in them. */
  get size(): number {
    return this.#slots.reduce((sum, { orders }) => sum + orders.length, this.#slots.length)
  }

  get isWritten(): boolean {
    return !this.#slots.some(isUnwritten)
  }

  /** The user's next record; one that a cell has seen changes nothing in it. */
  take(record: UserOutput): void {
    this.#seen = record.pos
    for (const [at, updates] of lastUpdates(record)) {
      const slot = this.#slots.find(each => each.at === at)
      if (slot && record.pos <= slot.pos) this.#reassert(slot)
      else this.#apply({ at, slot, updates, record })
    }
  }

  /** The cells to be written, as they are now. */
  drain(): CqlStatement[] {
    const unwritten = this.#slots.filter(isUnwritten)
    if (unwritten.length > 0)
      this.#slots = this.#worthKeeping(
        this.#slots.map(slot => (isUnwritten(slot) ? { ...slot, state: 'written' } : slot)),
      )
    return unwritten.map(slot => openOrdersRow(this.#user, slot.at, slot))
  }

  /**
   * What a quorum read may have been seen by one replica alone. A cell that is in doubt so comes from a record that is
   * read again, so it is enough to write it again when a record that it has seen comes by.
   */
  #reassert(slot: Slot): void {
    if (slot.state === 'loaded') this.#set({ ...slot, state: 'unwritten' })
  }

  #apply({ at, slot, updates, record }: Applying): void {
    const before = slot?.orders ?? []
    const isUpdated = among(updates)
    const others = before.filter(each => !isUpdated(each.order))
    const open = updates.filter(each => isOpen(each.state)).map(each => openOrderOf(each, record))
    // Nothing of it was open before or is now: new and filled, or rejected, in one record.
    if (open.length === 0 && others.length === before.length) return
    const orders = [...others, ...open].sort((a, b) => (a.order < b.order ? -1 : 1))
    this.#set({ at, orders, pos: record.pos, state: 'unwritten' })
  }

  #set(slot: Slot): void {
    const isNew = !this.#slots.some(({ at }) => at === slot.at)
    this.#slots = isNew ? [...this.#slots, slot] : this.#slots.map(each => (each.at === slot.at ? slot : each))
  }

  /** All but those that are empty, written, and older than any record to come. */
  #worthKeeping(slots: readonly Slot[]): readonly Slot[] {
    const kept = slots.filter(slot => slot.orders.length > 0 || isUnwritten(slot) || slot.pos > this.#seen)
    return kept.length > 0 ? kept : none
  }
}

const isUnwritten = ({ state }: Slot): boolean => state === 'unwritten'

/** Most users: one list for all of them. */
const none: readonly Slot[] = []

type Applying = {
  readonly at: number
  readonly slot: Slot | undefined
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
