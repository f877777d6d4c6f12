import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { Pos } from '../../../core/ids.ts'
import { isOpen } from '../../../core/order-lifecycle.ts'
import { NaiveLedger } from '../../../core/oracle/naive-ledger.ts'
import { systemClock } from '../../../runtime/clock.ts'
import type { CqlRow } from '../../../runtime/cql/port.ts'
import { MemoryStore } from '../../../runtime/cql/testing/memory-store.ts'
import { type Progress, toCommitted } from '../../../runtime/reader/progress.ts'
import { type BucketRules, countedItems } from '../../../schemas/cql/placement.ts'
import { Settle, type SettleOptions } from '../settle.ts'
import { settleMetrics } from '../settle-metrics.ts'
import { UserBroker } from './user-broker.ts'
import type { UserTopic } from './user-topic.ts'

/** Small enough that histories roll, also within one batch. */
const buckets: BucketRules = { items: 12, oneIn: 2, heavyItems: 6 }

/** settle on a topic and a store in memory. */
export class SettledWorld {
  readonly topic: UserTopic
  readonly kafka: UserBroker
  readonly store = new MemoryStore()
  registry = new Registry()
  readonly #partitions: number
  #running: { readonly stopping: AbortController; readonly done: Promise<void> } | null = null

  constructor(topic: UserTopic) {
    this.topic = topic
    this.#partitions = topic.records.length
    this.kafka = new UserBroker({ partitions: this.#partitions })
  }

  start(options: Partial<SettleOptions> = {}): Promise<void> {
    this.registry = new Registry()
    const service = new Settle({
      kafka: this.kafka.client(),
      cql: this.store,
      clock: systemClock,
      log: pino({ level: 'silent' }),
      metrics: settleMetrics(this.registry),
      topic: 'users',
      group: 'settle',
      partitions: this.#partitions,
      storeSyncMs: 0,
      storeSyncMarginMs: 0,
      commitIntervalMs: 1,
      cacheCells: 1000,
      batchRecords: 7,
      batchesAtOnce: 2,
      inFlight: 128,
      buckets,
      ...options,
    })
    const stopping = new AbortController()
    const done = service.run(stopping.signal)
    done.catch(() => {})
    this.#running = { stopping, done }
    return done
  }

  async stop(): Promise<void> {
    this.#running?.stopping.abort()
    await this.#running?.done
    this.#running = null
  }

  /** Sends what the topic has gained, and waits until it is settled and its last barrier committed. */
  async settled(): Promise<void> {
    this.kafka.fill(this.topic.records)
    await this.until('settled and committed', () =>
      this.topic.records.every(
        (records, partition) => this.kafka.offsets.get(partition)?.offset === endOf(records.length),
      ),
    )
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = Date.now() + 10_000
    while (!condition()) {
      const failure = await Promise.race([this.#running?.done.then(() => 'stopped', String), tick()])
      if (typeof failure === 'string') throw new Error(`${what}: settle ended: ${failure}`)
      if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`)
    }
  }

  /** Sets the group back to just after the record of that index in each partition (-1: the very start). */
  rewind(indexes: readonly number[]): void {
    for (const [partition, index] of indexes.entries()) {
      const record = this.topic.records[partition]?.[index]
      const progress: Progress = record
        ? { offset: endOf(index + 1), n: record.n, pos: record.pos }
        : { offset: 0n, n: 0n, pos: 0n as Pos }
      this.kafka.offsets.set(partition, toCommitted(progress))
    }
  }

  async untilMetric(name: string, value: number): Promise<void> {
    let last = Number.NaN
    await this.until(`${name} = ${value}`, () => {
      void this.metric(name).then(found => (last = found))
      return last === value
    })
  }

  /** The sum of a metric over its labels. */
  async metric(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get()
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0)
  }
}

const tick = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1))
const endOf = (records: number): bigint => (records === 0 ? 0n : BigInt(records - 1) * 2n + 1n)

type Facts = Readonly<Record<string, readonly string[]>>
const sorted = (facts: Readonly<Record<string, Iterable<string>>>): Facts =>
  Object.fromEntries(Object.entries(facts).map(([name, each]) => [name, [...each].sort()]))

/** What the store must hold, from the log alone and the naive ledger. */
export const expectedFacts = (topic: UserTopic, rules: BucketRules = buckets): Facts => {
  const [history, orders, trades] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const ledger = new NaiveLedger({
    onPosting: (each, { pos, time, index }) => {
      history.add(
        `${each.user} ${pos} ${time} posting ${index} ${each.asset} ${each.deltaAvailable} ${each.deltaFrozen} ${each.available} ${each.frozen} ${each.version} ${each.reason} ${each.ref}`,
      )
    },
    onTrade: (each, { pos, time, index }) => {
      const text = `${pos} ${time} trade ${index} ${each.trade} ${each.price} ${each.quantity} ${each.quote} ${each.buyFee} ${each.sellFee}`
      trades.add(`${each.buyer} ${each.seller} ${text}`)
      for (const user of [each.buyer, each.seller]) history.add(`${user} ${text}`)
    },
    onOrderUpdate: (each, { pos, time, index }) => {
      const text = `${each.user} ${pos} ${time} order ${index} ${each.order} ${each.price} ${each.filled} ${each.remaining} ${each.state}`
      orders.add(text)
      history.add(text)
    },
  })
  for (const record of topic.log) ledger.take(record)
  const open = [...ledger.orders()].filter(each => isOpen(each.state))
  return sorted({
    balances: [...ledger.balances()].map(
      each => `${each.user} ${each.asset} ${each.available} ${each.frozen} ${each.version}`,
    ),
    open: open.map(each => `${each.user} ${each.order} ${each.filled} ${each.remaining} ${each.state}`),
    history,
    buckets: bucketFacts(topic, rules),
    orders,
    trades,
  })
}

/** Which rows stand in which bucket, and how far each is counted: from the records alone, user by user. */
const bucketFacts = ({ records }: UserTopic, rules: BucketRules): Iterable<string> => {
  const facts: string[] = []
  const told = records
    .flat()
    .filter(each => each.kind === 'UserOutput' || each.kind === 'UserCorrection')
    .map(each =>
      each.kind === 'UserCorrection'
        ? { user: each.correction.user, pos: each.pos, items: 1 }
        : { user: each.user, pos: each.pos, items: each.orders.length + each.trades.length + each.changes.length },
    )
  for (const [user, mine] of Map.groupBy(told, each => each.user)) {
    let [bucket, sum, counted] = [0n, 0, 0n]
    const close = (): unknown => bucket > 0n && facts.push(`${user} ${bucket} index ${sum} ${counted}`)
    for (const { pos, items } of mine) {
      const weight = countedItems(pos, items, rules)
      if (bucket === 0n || (weight > 0 && sum >= rules.items)) {
        close()
        ;[bucket, sum, counted] = [pos, weight, pos]
      } else if (weight > 0) [sum, counted] = [sum + weight, pos]
      facts.push(`${user} ${bucket} row ${pos}`)
    }
    close()
  }
  return facts
}

type Fields = Record<string, unknown>
/** Column values as text: they are bigints, numbers and strings. */
export const words = (...values: readonly unknown[]): string => (values as readonly bigint[]).join(' ')
const list = (value: unknown): Fields[] => (value ?? []) as Fields[]
const orderText = (row: Fields, of: Fields): string =>
  words(
    row['user_id'],
    row['pos'],
    row['time'],
    'order',
    of['idx'],
    ...pick(of, ['order_id', 'price', 'filled', 'remaining', 'state']),
  )
const tradeText = (row: Fields, of: Fields): string =>
  words(
    row['pos'],
    row['time'],
    'trade',
    of['idx'],
    ...pick(of, ['trade_id', 'price', 'quantity', 'quote', 'buy_fee', 'sell_fee']),
  )
const postingText = (row: Fields, of: Fields): string =>
  words(
    row['user_id'],
    row['pos'],
    row['time'],
    'posting',
    ...pick(of, ['idx', 'asset', 'delta_available', 'delta_frozen', 'available', 'frozen', 'version', 'reason', 'ref']),
  )
const pick = (of: Fields, names: readonly string[]): unknown[] => names.map(name => of[name])

/** All rows of each table: of the store in memory, or as somebody has read them from another. */
export type StoredTables = { rows(table: string): readonly CqlRow[] }

/** What the store holds, in the same words. */
export const storedFacts = (store: StoredTables): Facts => {
  const history = store.rows('history') as Fields[]
  const trades = store.rows('trades') as Fields[]
  return sorted({
    balances: store
      .rows('balances')
      .map(row => words(row['user_id'], row['asset'], ...(row['bal'] as bigint[]).slice(0, 3))),
    open: store
      .rows('open_orders')
      .flatMap(row =>
        list((row['orders'] as unknown[])[0]).map(each =>
          words(row['user_id'], ...pick(each, ['order_id', 'filled', 'remaining', 'state'])),
        ),
      ),
    history: history.flatMap(row => [
      ...list(row['orders']).map(each => orderText(row, each)),
      ...list(row['trades']).map(each => words(row['user_id'], tradeText(row, each))),
      ...list(row['postings']).map(each => postingText(row, each)),
    ]),
    buckets: [
      ...history.map(row => words(row['user_id'], row['bucket'], 'row', row['pos'])),
      ...store
        .rows('history_buckets')
        .map(row => words(row['user_id'], row['bucket'], 'index', ...(row['counted'] as bigint[]))),
    ],
    orders: store.rows('orders').flatMap(row => list(row['updates']).map(each => orderText(row as Fields, each))),
    trades: trades.map(row => words(row['buyer'], row['seller'], tradeText(row, row))),
  })
}

/** Barriers whose rows do not add up to their flow; empty when money is conserved. */
export const unequalIntervals = (store: StoredTables, partitions: number): string[] => {
  const byPos = Map.groupBy(store.rows('intervals'), row => row['barrier_pos'] as bigint)
  return [...byPos].flatMap(([pos, rows]) => {
    const sums = new Map<number, bigint>()
    for (const row of rows)
      for (const [asset, sum] of (row['sums'] ?? new Map()) as Map<number, bigint>)
        sums.set(asset, (sums.get(asset) ?? 0n) + sum)
    const flow = (rows[0]?.['flow'] ?? new Map()) as Map<number, bigint>
    const assets = new Set([...sums.keys(), ...flow.keys()])
    const wrong = [...assets].filter(asset => (sums.get(asset) ?? 0n) !== (flow.get(asset) ?? 0n))
    return rows.length === partitions && wrong.length === 0
      ? []
      : [`${pos}: ${rows.length} rows, assets ${wrong.join()}`]
  })
}
