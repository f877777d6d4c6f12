import type { OrderUpdate } from '../../core/events.ts'
import type { OrderId } from '../../core/ids.ts'
import { openOrderSlot } from '../../schemas/cql/placement.ts'
import type { Row } from './row-shape.ts'
import { openOrdersRow } from './scylla-shapes.ts'

/** An open order with the record that changed it last. */
export type OpenUpdate = { readonly update: OrderUpdate; readonly pos: bigint; readonly time: bigint }
type Slot = { readonly user: bigint; readonly slot: number; readonly orders: Map<OrderId, OpenUpdate>; pos: bigint }

const openStates: ReadonlySet<OrderUpdate['state']> = new Set(['New', 'PartiallyFilled'])

/** Which cell of its user each open order stands in, and the pos that every cell was changed at last. */
export class OpenSlots {
  readonly #slots = new Map<string, Slot>()
  #touched = new Set<Slot>()

  /** An order as a record of the log leaves it; once for each order of the record. */
  take(open: OpenUpdate): void {
    const { update, pos } = open
    const slot = this.#slotOf(update)
    const wasOpen = slot.orders.delete(update.order)
    if (openStates.has(update.state)) slot.orders.set(update.order, open)
    else if (!wasOpen) return
    slot.pos = pos
    this.#touched.add(slot)
  }

  /** The next record begins. */
  forgetTouched(): void {
    if (this.#touched.size > 0) this.#touched = new Set()
  }

  /** Rows that the record in hand changed. */
  touched(): readonly Row[] {
    return [...this.#touched].map(rowOfSlot)
  }

  *rows(): Iterable<Row> {
    for (const slot of this.#slots.values()) if (slot.pos > 0n) yield rowOfSlot(slot)
  }

  #slotOf({ user, order }: OrderUpdate): Slot {
    const slot = openOrderSlot(order)
    const key = `${user}/${slot}`
    let found = this.#slots.get(key)
    if (!found) this.#slots.set(key, (found = { user, slot, orders: new Map(), pos: 0n }))
    return found
  }
}

const rowOfSlot = ({ user, slot, orders, pos }: Slot): Row =>
  openOrdersRow({
    user,
    slot,
    pos,
    orders: [...orders.values()].sort((a, b) => (a.update.order < b.update.order ? -1 : 1)),
  })
