import { correctionChange } from '../../core/fold.ts'
import type { OrderUpdate, UserOutput, UserRecord } from '../../core/events.ts'
import type { OrderId, UserId } from '../../core/ids.ts'
import { isOpen } from '../../core/order-lifecycle.ts'
import type { CqlStatement } from '../../runtime/cql/port.ts'
import type { BucketRules } from '../../schemas/cql/placement.ts'
import { type Bucket, bucketOf } from './history-buckets.ts'
import {
  bucketRow,
  closeOrderRow,
  type HistoryItem,
  historyRow,
  openOrderRow,
  orderRow,
  parkedRow,
  tradeRow,
} from './rows.ts'

/**
 * The rows of a batch that come from its events alone: history and its buckets, orders, open orders, trades. They are
 * gathered by partition key, so that each key is one batch of the store, and what changes several times is written
 * once, as it is at the end.
 */
export class HistoryRows {
  readonly #rules: BucketRules
  readonly #byKey = new Map<string, CqlStatement[]>()
  /** The last word on an order within the batch; a later pos wins in the store, so the earlier ones need no row. */
  readonly #open = new Map<OrderId, { readonly user: UserId; readonly row: CqlStatement }>()
  /** The same of buckets. */
  readonly #buckets = new Map<string, { readonly user: UserId; readonly bucket: Bucket }>()

  constructor(rules: BucketRules) {
    this.#rules = rules
  }

  /** `bucket`: that of the user's record before; the result is this record's. */
  take(record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>, bucket: Bucket | null): Bucket {
    if (record.kind === 'UserOutput') this.#takeOutput(record)
    return this.#place(itemOf(record), bucket)
  }

  /** A bucket as it was loaded, to be written again: a quorum may have seen it at one replica alone. */
  reassert(user: UserId, bucket: Bucket): void {
    this.#buckets.set(`${user}/${bucket.from}`, { user, bucket })
  }

  park(parked: Parameters<typeof parkedRow>[0]): void {
    this.#add(userKey(parked.user), parkedRow(parked))
  }

  /** The statements gathered since the last time, one list per partition key. */
  drain(): readonly (readonly CqlStatement[])[] {
    for (const { user, row } of this.#open.values()) this.#add(userKey(user), row)
    for (const { user, bucket } of this.#buckets.values()) this.#add(userKey(user), bucketRow(user, bucket))
    const groups = [...this.#byKey.values()]
    for (const each of [this.#open, this.#buckets, this.#byKey]) each.clear()
    return groups
  }

  #takeOutput(record: UserOutput): void {
    const { user, pos } = record
    for (const order of record.orders) this.#add(`o${order.value.order}`, orderRow(order, record))
    // The trade's own row comes from one of its two records, so that it is written once.
    for (const trade of record.trades)
      if (trade.value.buyer === user) this.#add(`t${trade.value.trade}`, tradeRow(trade, record))
    for (const [order, { first, last }] of spansOf(record)) {
      if (isOpen(last.state)) this.#open.set(order, { user, row: openOrderRow(last, record) })
      else if (!neverOpen(first)) this.#open.set(order, { user, row: closeOrderRow(user, order, pos) })
    }
  }

  #place(item: HistoryItem, before: Bucket | null): Bucket {
    const { user, pos, orders, trades, changes } = item
    const bucket = bucketOf(before, { pos, items: orders.length + trades.length + changes.length }, this.#rules)
    if (bucket !== before) this.#buckets.set(`${user}/${bucket.from}`, { user, bucket })
    this.#add(`h${user}/${bucket.from}`, historyRow(item, bucket))
    return bucket
  }

  #add(key: string, row: CqlStatement): void {
    const rows = this.#byKey.get(key)
    if (rows) rows.push(row)
    else this.#byKey.set(key, [row])
  }
}

const userKey = (user: UserId): string => `u${user}`

const itemOf = (record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>): HistoryItem => {
  if (record.kind === 'UserOutput') return record
  const { correction, command, pos } = record
  const changes = [{ index: 0, value: correctionChange(correction) }]
  return { user: correction.user, pos, time: command.time, orders: [], trades: [], changes }
}

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
