import { correctionChange } from '../../core/fold.ts'
import type { UserOutput, UserRecord } from '../../core/events.ts'
import type { UserId } from '../../core/ids.ts'
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
  readonly #byKey = new Map<string, CqlStatement[]>()
  /** The last word on a bucket within the batch; a later pos wins in the store, so the earlier ones need no row. */
  readonly #buckets = new Map<string, { readonly user: UserId; readonly bucket: Bucket }>()

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
    this.#buckets.set(`${user}/${bucket.from}`, { user, bucket })
  }

  park(parked: Parameters<typeof parkedRow>[0]): void {
    this.#add(userKey(parked.user), parkedRow(parked))
  }

  /** The statements gathered since the last time, one list per partition key. */
  drain(): readonly (readonly CqlStatement[])[] {
    for (const { user, bucket } of this.#buckets.values()) this.#add(userKey(user), bucketRow(user, bucket))
    const groups = [...this.#byKey.values()]
    this.#buckets.clear()
    this.#byKey.clear()
    return groups
  }

  #takeOutput(record: UserOutput): void {
    const { user } = record
    for (const [order, updates] of Map.groupBy(record.orders, ({ value }) => value.order))
      this.#add(`o${idBlock(order)}`, orderRow(order, updates, record))
    // The trade's own row comes from one of its two records, so that it is written once.
    for (const trade of record.trades)
      if (trade.value.buyer === user) this.#add(`t${idBlock(trade.value.trade)}`, tradeRow(trade, record))
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
    const packed = this.#pack(row)
    if (rows) rows.push(packed)
    else this.#byKey.set(key, [packed])
  }
}

const userKey = (user: UserId): string => `u${user}`

const itemOf = (record: Extract<UserRecord, { kind: 'UserOutput' | 'UserCorrection' }>): HistoryItem => {
  if (record.kind === 'UserOutput') return record
  const { correction, command, pos } = record
  const changes = [{ index: 0, value: correctionChange(correction) }]
  return { user: correction.user, pos, time: command.time, orders: [], trades: [], changes }
}
