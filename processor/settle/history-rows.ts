import { correctionChange } from '../../core/fold.ts'
import type { Indexed, OrderUpdate, UserOutput, UserRecord } from '../../core/events.ts'
import type { OrderId, Pos, UserId } from '../../core/ids.ts'
import type { CqlPort, CqlStatement } from '../../runtime/cql/port.ts'
import { type BucketRules, idBlock } from '../../schemas/cql/placement.ts'
import { type Bucket, bucketOf } from './history-buckets.ts'
import { bucketRow, type HistoryItem, historyRow, orderRow, parkedRow, tradeRow } from './rows.ts'

/** Rows wait for the store by the thousand: each in as little as it can be, and its record gone. */
export type Pack = CqlPort['pack']

/**
 * The rows of a batch that come from its events alone: history and its buckets, orders, trades. They are gathered by
 * partition key, so that each key is one batch of the store, and a bucket that is counted several times is written
 * once, as it is at the end.
 */
export class HistoryRows {
  readonly #rules: BucketRules
  readonly #pack: Pack
  /** One for each partition key, in the order in which they came. */
  readonly #groups: CqlStatement[][] = []
  readonly #orders = new Map<bigint, CqlStatement[]>()
  readonly #trades = new Map<bigint, CqlStatement[]>()
  /** Of each user that of the bucket it is at. */
  readonly #history = new Map<UserId, { readonly from: Pos; readonly rows: CqlStatement[] }>()
  /** Rows that are their user's alone. */
  readonly #users = new Map<UserId, CqlStatement[]>()
  /** The last word on each bucket within the batch; a later pos wins in the store, so the earlier ones need no row. */
  readonly #buckets = new Map<UserId, Bucket[]>()

  constructor(rules: BucketRules, pack: Pack) {
    this.#rules = rules
    this.#pack = pack
  }

  /** `bucket`: that of the user's record before; the result is this record's. */
  take(record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>, bucket: Bucket | null): Bucket {
    if (record.kind === 'UserOutput') this.#takeOutput(record)
    return this.#place(itemOf(record), bucket)
  }

  /** A bucket as it was loaded, to be written again: a quorum may have seen it at one replica alone. */
  reassert(user: UserId, bucket: Bucket): void {
    this.#count(user, bucket)
  }

  park(parked: Parameters<typeof parkedRow>[0]): void {
    this.#add(this.#users, parked.user, parkedRow(parked))
  }

  /** The statements gathered since the last time, one list per partition key. */
  drain(): CqlStatement[][] {
    for (const [user, buckets] of this.#buckets)
      for (const bucket of buckets) this.#add(this.#users, user, bucketRow(user, bucket))
    for (const gathered of [this.#orders, this.#trades, this.#history, this.#users, this.#buckets]) gathered.clear()
    return this.#groups.splice(0)
  }

  #count(user: UserId, bucket: Bucket): void {
    const said = this.#buckets.get(user)
    if (!said) this.#buckets.set(user, [bucket])
    else if (said.at(-1)?.from === bucket.from) said[said.length - 1] = bucket
    else said.push(bucket)
  }

  #takeOutput(record: UserOutput): void {
    const { user } = record
    for (const [order, updates] of byOrder(record.orders))
      this.#add(this.#orders, idBlock(order), orderRow(order, updates, record))
    // The trade's own row comes from one of its two records, so that it is written once.
    for (const trade of record.trades)
      if (trade.value.buyer === user) this.#add(this.#trades, idBlock(trade.value.trade), tradeRow(trade, record))
  }

  #place(item: HistoryItem, before: Bucket | null): Bucket {
    const { user, pos, orders, trades, changes } = item
    const bucket = bucketOf(before, { pos, items: orders.length + trades.length + changes.length }, this.#rules)
    if (bucket !== before) this.#count(user, bucket)
    let placed = this.#history.get(user)
    if (placed?.from !== bucket.from) {
      placed = { from: bucket.from, rows: this.#newGroup() }
      this.#history.set(user, placed)
    }
    placed.rows.push(this.#pack(historyRow(item, bucket)))
    return bucket
  }

  #add<Key>(groups: Map<Key, CqlStatement[]>, key: Key, row: CqlStatement): void {
    let rows = groups.get(key)
    if (!rows) groups.set(key, (rows = this.#newGroup()))
    rows.push(this.#pack(row))
  }

  #newGroup(): CqlStatement[] {
    const rows: CqlStatement[] = []
    this.#groups.push(rows)
    return rows
  }
}

type Updates = readonly Indexed<OrderUpdate>[]

/** A record seldom has more than one update, and most of those are of one order. */
const byOrder = (updates: Updates): Iterable<readonly [OrderId, Updates]> => {
  const [first] = updates
  if (updates.length === 1 && first) return [[first.value.order, updates]]
  return Map.groupBy(updates, ({ value }) => value.order)
}

const itemOf = (record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>): HistoryItem => {
  if (record.kind === 'UserOutput') return record
  const { correction, command, pos } = record
  const changes = [{ index: 0, value: correctionChange(correction) }]
  return { user: correction.user, pos, time: command.time, orders: [], trades: [], changes }
}
