import { correctionChange } from '../../core/fold.ts'
import type { OrderUpdate, UserOutput, UserRecord } from '../../core/events.ts'
import type { OrderId, UserId } from '../../core/ids.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import { closeOrderRow, dayOf, historyDayRow, historyRow, openOrderRow, orderRow, parkedRow, tradeRow } from './rows.ts'

/**
 * The rows of a batch that come from its events alone: history, orders, open orders, trades. They are gathered by
 * partition key, so that each key is one batch of the store, and an open order that changes several times is written
 * once, as it is at the end.
 */
export class HistoryRows {
  readonly #byKey = new Map<string, CqlStatement[]>()
  /** The last word on an order within the batch; a later pos wins in the store, so the earlier ones need no row. */
  readonly #open = new Map<OrderId, { readonly user: UserId; readonly row: CqlStatement }>()

  /** `indexedDay`: the day that the user's index has a row of; the result is the day it has one of after this batch. */
  take(record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>, indexedDay: number | null): number {
    switch (record.kind) {
      case 'UserOutput':
        this.#takeOutput(record)
        return this.#index(record.user, record, indexedDay)
      case 'UserCorrection': {
        const { correction, command, pos } = record
        const { user } = correction
        const changes = [{ index: 0, value: correctionChange(correction) }]
        this.#add(
          dayKey(user, dayOf(pos)),
          historyRow({ user, pos, time: command.time, orders: [], trades: [], changes }),
        )
        return this.#index(user, record, indexedDay)
      }
    }
  }

  park(parked: Parameters<typeof parkedRow>[0]): void {
    this.#add(userKey(parked.user), parkedRow(parked))
  }

  /** The batch's statements, one list per partition key. */
  groups(): readonly (readonly CqlStatement[])[] {
    for (const { user, row } of this.#open.values()) this.#add(userKey(user), row)
    this.#open.clear()
    return [...this.#byKey.values()]
  }

  #takeOutput(record: UserOutput): void {
    const { user, pos } = record
    this.#add(dayKey(user, dayOf(pos)), historyRow(record))
    for (const order of record.orders) this.#add(`o${order.value.order}`, orderRow(order, record))
    // The trade's own row comes from one of its two records, so that it is written once.
    for (const trade of record.trades)
      if (trade.value.buyer === user) this.#add(`t${trade.value.trade}`, tradeRow(trade, record))
    for (const [order, { first, last }] of spansOf(record)) {
      if (isOpen(last.state)) this.#open.set(order, { user, row: openOrderRow(last, record) })
      else if (!neverOpen(first)) this.#open.set(order, { user, row: closeOrderRow(user, order, pos) })
    }
  }

  #index(user: UserId, { pos }: Pick<UserRecord, 'pos'>, indexedDay: number | null): number {
    const day = dayOf(pos)
    if (day !== indexedDay) this.#add(userKey(user), historyDayRow(user, pos))
    return day
  }

  #add(key: string, row: CqlStatement): void {
    const rows = this.#byKey.get(key)
    if (rows) rows.push(row)
    else this.#byKey.set(key, [row])
  }
}

const userKey = (user: UserId): string => `u${user}`
const dayKey = (user: UserId, day: number): string => `h${user}/${day}`

type Span = { readonly first: OrderUpdate; last: OrderUpdate }

/** Each order of a record with its first and last state there: no key gets two values at one pos. */
const spansOf = ({ orders }: UserOutput): ReadonlyMap<OrderId, Span> => {
  const spans = new Map<OrderId, Span>()
  for (const { value } of orders) {
    const span = spans.get(value.order)
    if (span) span.last = value
    else spans.set(value.order, { first: value, last: value })
  }
  return spans
}

/** Orders that never rest have no row to delete, and a tombstone each would slow down who reads what is open. */
const neverOpen = (first: OrderUpdate): boolean =>
  first.state === 'Rejected' ||
  (first.state === 'New' && (first.type === 'Market' || first.timeInForce === 'ImmediateOrCancel'))
