import type { BalanceChange, LogRecord } from '../../core/events.ts'
import { correctionChange, type Cell, emptyCell, foldChanges } from '../../core/fold.ts'
import type { AssetId, Pos } from '../../core/ids.ts'
import type { CqlPort, CqlRow, CqlValue } from '../../runtime/cql/port.ts'
import type { SqlPort, SqlRow } from '../../runtime/starrocks/sql-port.ts'
import { ExpectedRows } from '../verify/expected-rows.ts'
import { HistoryBuckets } from '../verify/history-buckets.ts'
import { NaiveLedger } from '../../core/oracle/naive-ledger.ts'
import { OpenSlots } from '../verify/open-slots.ts'
import type { Row, RowShape } from '../verify/row-shape.ts'
import { intervalRow, referenceRows, scyllaRows, scyllaStates } from '../verify/scylla-shapes.ts'
import { StarRocksRows, starrocksStates } from '../verify/starrocks-shapes.ts'
import { partitions, type PlacedRecord } from './small-log.ts'

export type StoredRow = Record<string, CqlValue>
/** Tables by name; tests change rows in place. */
export type Tables = Map<string, StoredRow[]>

/** Every place's rows of a log, as right services would have written them. */
export class SmallStores {
  readonly scylla: Tables = new Map([['parked', []]])
  readonly starrocks: Tables = new Map([['stream_meta', [{ name: 'stream', value: 'demo', pos: 0n }]]])
  readonly csv = new Map<RowShape, Row[]>()
  readonly #starrocksRows = new StarRocksRows()

  /** The tables whose rows never change, from the whole log, and the index of history. */
  addRows(log: readonly LogRecord[], bytesOf: (record: LogRecord) => Buffer): void {
    const buckets = new HistoryBuckets()
    const rows = new ExpectedRows({
      sink: { expected: (shape, row) => this.#add(shape, row), found: () => {} },
      partitions,
      starrocks: this.#starrocksRows,
      buckets,
    })
    const ledger = new NaiveLedger({
      onPosting: (posting, place) => rows.posting(posting, place),
      onTrade: (trade, place) => rows.trade(trade, place),
      onOrderUpdate: (update, place) => rows.order(update, place),
    })
    for (const record of log) {
      rows.begin(record, bytesOf(record))
      if (record.kind === 'Reference' && record.output.reference)
        this.#starrocksRows.learn(record.output.reference, record.pos)
      ledger.take(record)
      rows.end()
    }
    this.scylla.set(
      'history_buckets',
      [...buckets.rows()].map(row => {
        const [user_id, bucket, ...counted] = row.map(cell => BigInt(cell ?? 0)) as [bigint, bigint, bigint, bigint]
        return { user_id, bucket, counted }
      }),
    )
  }

  addIntervals(placed: readonly PlacedRecord[]): void {
    const sums = Array.from({ length: partitions }, () => new Map<number, bigint>())
    for (const { partition, record } of placed) {
      const mine = sums[partition] as Map<number, bigint>
      if (record.kind === 'UserOutput' || record.kind === 'UserCorrection') {
        const changes =
          record.kind === 'UserOutput'
            ? record.changes.map(({ value }) => value)
            : [correctionChange(record.correction)]
        for (const { asset, deltaAvailable, deltaFrozen } of changes)
          mine.set(asset, (mine.get(asset) ?? 0n) + deltaAvailable + deltaFrozen)
      }
      if (record.kind !== 'Barrier') continue
      const { pos, n, previous } = record
      const flow = new Map(record.flow.map(({ asset, amount }) => [asset as number, amount]))
      const nonZero = new Map([...mine].filter(([, sum]) => sum !== 0n))
      const row = intervalRow({ pos, partition, sums: nonZero, flow, n, previous })
      this.#add(scyllaRows.intervals, row)
      mine.clear()
    }
  }

  /** The tables whose rows change, as they are after the log's records up to `upTo`. */
  addStates(log: readonly LogRecord[], upTo: Pos): void {
    const wallets = new Map<string, Map<AssetId, Cell>>()
    const openSlots = new OpenSlots()
    const found = new Map<string, { readonly shape: RowShape; readonly row: Row }>()
    const put = (shape: RowShape, row: Row): void =>
      void found.set(`${shape.place} ${shape.table} ${row.slice(0, shape.key).join('/')}`, { shape, row })
    for (const record of log.filter(({ pos }) => pos <= upTo)) {
      const { pos } = record
      if (record.kind === 'Reference' && record.output.reference) {
        for (const [table, row] of referenceRows(record.output.reference, pos)) put(scyllaStates[table], row)
        for (const [table, row] of this.#starrocksRows.reference(record.output.reference, pos))
          put(starrocksStates[table], row)
      }
      if (record.kind === 'Correction') {
        const change = correctionChange(record.correction)
        this.#apply(wallets, { pos, changes: [change] })
        put(starrocksStates.balances, this.#starrocksRows.balance(change, { pos, time: pos }))
      }
      if (record.kind !== 'Output') continue
      const { time, orders, changes } = record.output
      this.#apply(wallets, { pos, changes })
      for (const change of changes) put(starrocksStates.balances, this.#starrocksRows.balance(change, { pos, time }))
      for (const [index, update] of orders.entries())
        put(starrocksStates.orders, this.#starrocksRows.order(update, { pos, time, index }))
      for (const update of new Map(orders.map(each => [each.order, each])).values())
        openSlots.take({ update, pos, time })
    }
    for (const { shape, row } of found.values()) this.#add(shape, row)
    this.scylla.set(
      'open_orders',
      [...openSlots.rows()].map(([user, slot, orders = null, pos]) => ({
        user_id: BigInt(user ?? 0),
        slot: Number(slot),
        orders: [orders, BigInt(pos ?? 0)],
      })),
    )
    this.scylla.set(
      'balances',
      [...wallets].flatMap(([user, cells]) =>
        [...cells].map(([asset, { available, frozen, version, pos }]) => ({
          user_id: BigInt(user),
          asset,
          bal: [available, frozen, version, pos],
        })),
      ),
    )
  }

  cql(): CqlPort {
    return { scan: (query: string) => scan(this.scylla, query) } as unknown as CqlPort
  }

  sql(): SqlPort {
    return { stream: (query: string) => scan(this.starrocks, query) } as unknown as SqlPort
  }

  #apply(
    wallets: Map<string, Map<AssetId, Cell>>,
    { pos, changes }: { readonly pos: Pos; readonly changes: readonly BalanceChange[] },
  ): void {
    for (const user of new Set(changes.map(each => each.user))) {
      const wallet = wallets.get(`${user}`) ?? new Map<AssetId, Cell>()
      const mine = changes.filter(each => each.user === user).map((value, index) => ({ index, value }))
      const result = foldChanges(asset => wallet.get(asset) ?? emptyCell, { user, pos, changes: mine })
      if (result.kind === 'refused') throw new Error(result.refusal.message)
      for (const [asset, cell] of result.cells) wallet.set(asset, cell)
      wallets.set(`${user}`, wallet)
    }
  }

  #add(shape: RowShape, row: Row): void {
    if (shape.place === 'CSV') {
      this.csv.set(shape, [...(this.csv.get(shape) ?? []), row])
      return
    }
    const tables = shape.place === 'ScyllaDB' ? this.scylla : this.starrocks
    const stored = Object.fromEntries(shape.columns.map((column, i) => [column, storedCell(column, row[i] ?? null)]))
    tables.set(shape.table, [...(tables.get(shape.table) ?? []), stored])
  }
}

/** The readers compare pos as a number before they compare texts. */
const storedCell = (column: string, cell: string | null): CqlValue =>
  cell !== null && /(^|_)pos$/.test(column) ? BigInt(cell) : cell

async function* scan(tables: Tables, query: string): AsyncGenerator<CqlRow & SqlRow> {
  const [, table = '', limit, least] = /FROM (\w+)(?: WHERE pos (?:<= (\d+)|> (\d+)))?$/.exec(query) ?? []
  for (const row of tables.get(table) ?? []) {
    const pos = (row['pos'] ?? 0n) as bigint
    if (limit !== undefined && pos > BigInt(limit)) continue
    if (least !== undefined && pos <= BigInt(least)) continue
    yield await Promise.resolve(row as CqlRow & SqlRow)
  }
}
