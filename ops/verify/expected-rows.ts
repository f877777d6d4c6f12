import type { BalanceChange, LogRecord, OrderUpdate, Trade } from '../../core/events.ts'
import type { UserId } from '../../core/ids.ts'
import type { LedgerPlace } from '../../core/oracle/naive-ledger.ts'
import { partitionOf } from '../../core/partition.ts'
import { archiveShapes, ledgerCells, orderCells, outputCells, referenceCells, tradeCells } from './archive-shapes.ts'
import type { HistoryBuckets } from './history-buckets.ts'
import type { RowSink } from './row-sets.ts'
import { historyRow, orderRows, scyllaRows, tradeRow, type UserHistory } from './scylla-shapes.ts'
import { type StarRocksRows, starrocksRows, type TablePlace } from './starrocks-shapes.ts'

/**
 * The rows that never change, as the log calls for them in each place, while the naive ledger takes one record after
 * another: `begin`, what the ledger tells, `end`.
 */
export class ExpectedRows {
  #sink: RowSink
  readonly #partitions: number
  readonly #starrocks: StarRocksRows
  readonly #buckets: HistoryBuckets
  #record: LogRecord | null = null
  #users = new Map<UserId, UserHistory>()

  constructor(options: {
    readonly sink: RowSink
    readonly partitions: number
    readonly starrocks: StarRocksRows
    readonly buckets: HistoryBuckets
  }) {
    this.#sink = options.sink
    this.#partitions = options.partitions
    this.#starrocks = options.starrocks
    this.#buckets = options.buckets
  }

  begin(record: LogRecord, value: Buffer): void {
    this.#record = record
    this.#sink.expected(archiveShapes.outputs, outputCells(record, timeOf(record), value))
    if (record.kind !== 'Reference' || !record.output.reference) return
    for (const row of referenceCells(record.output.reference, { pos: record.pos, time: record.output.time }))
      this.#sink.expected(archiveShapes.reference, row)
  }

  posting(change: BalanceChange, place: LedgerPlace): void {
    const { pos, time, index: idx } = place
    const command = this.#record?.kind === 'Correction' ? this.#record.command.id : ''
    this.#sink.expected(archiveShapes.ledger, ledgerCells(this.#of(change.user), change, { pos, time, idx, command }))
    this.#sink.expected(starrocksRows.ledger, this.#starrocks.posting(change, this.tablePlace(place)))
    this.#history(change.user).postings.push([idx, change])
  }

  trade(trade: Trade, place: LedgerPlace): void {
    const { pos, time, index: idx } = place
    this.#sink.expected(archiveShapes.trades, tradeCells(this.#of(trade.buyer), trade, { pos, time, idx }))
    this.#sink.expected(starrocksRows.trades, this.#starrocks.trade(trade, place))
    for (const side of ['Buy', 'Sell'] as const)
      this.#sink.expected(starrocksRows.userTrades, this.#starrocks.userTrade(trade, side, place))
    this.#sink.expected(scyllaRows.trades, tradeRow(trade, place))
    this.#history(trade.buyer).trades.push([idx, trade])
    if (trade.seller !== trade.buyer) this.#history(trade.seller).trades.push([idx, trade])
  }

  order(update: OrderUpdate, place: LedgerPlace): void {
    const { pos, time, index: idx } = place
    this.#sink.expected(archiveShapes.orders, orderCells(this.#of(update.user), update, { pos, time, idx }))
    this.#sink.expected(starrocksRows.orderEvents, this.#starrocks.orderEvent(update, place))
    this.#history(update.user).orders.push([idx, update])
  }

  end(): void {
    const record = this.#record
    if (!record || this.#users.size === 0) return
    const { pos } = record
    const time = timeOf(record) ?? 0n
    for (const [user, said] of this.#users) {
      const items = said.orders.length + said.trades.length + said.postings.length
      const bucket = this.#buckets.take(user, pos, items)
      this.#sink.expected(scyllaRows.history, historyRow({ user, bucket, pos, time }, said))
      for (const row of orderRows({ user, pos, time }, said)) this.#sink.expected(scyllaRows.orders, row)
    }
    this.#users = new Map()
  }

  /** What comes from here on is behind the barrier: followed, but no rows are called for. */
  passBarrier(): void {
    this.#sink = { expected: () => {}, found: () => {} }
  }

  /** StarRocks tells of a correction when it was logged: it has no engine's time. */
  tablePlace({ pos, time, index }: LedgerPlace): TablePlace {
    return { pos, index, time: this.#record?.kind === 'Correction' ? pos : time }
  }

  #of(user: UserId): number {
    return partitionOf(user, this.#partitions)
  }

  #history(user: UserId): UserHistory {
    let said = this.#users.get(user)
    if (!said) this.#users.set(user, (said = { orders: [], trades: [], postings: [] }))
    return said
  }
}

/** The engine's time, or the operator's for what a command caused; null for what has none. */
const timeOf = (record: LogRecord): bigint | null => {
  switch (record.kind) {
    case 'Output':
    case 'Reference':
      return record.output.time
    case 'Session':
    case 'Tick':
      return null
    case 'Gap':
    case 'Correction':
    case 'Admit':
    case 'Redrive':
    case 'Refused':
    case 'Note':
      return record.command.time
  }
}
