import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { NaiveLedger } from '../../core/oracle/naive-ledger.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { Fetcher, KafkaPort, KafkaRecord, PartitionBounds } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import type { ArchivePartition } from '../../schemas/archive/archive-name.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import { checkArchive } from './check-archive.ts'
import type { CommonBarrier } from './common-barrier.ts'
import { ExpectedRows } from './expected-rows.ts'
import { HistoryBuckets } from './history-buckets.ts'
import { LogCheck } from './log-check.ts'
import { LogState } from './log-state.ts'
import { OpenSlots } from './open-slots.ts'
import { PartitionCursor } from './partition-cursor.ts'
import { readTopic } from './read-topic.ts'
import type { RowShape } from './row-shape.ts'
import type { RowSink } from './row-sets.ts'
import { scanScyllaRows, scanScyllaStates } from './scan-scylla.ts'
import { scanStarRocksRows, scanStarRocksStates } from './scan-starrocks.ts'
import { intervalRow, scyllaRows } from './scylla-shapes.ts'
import { StarRocksRows } from './starrocks-shapes.ts'
import { operatedUser, States } from './states.ts'
import type { PlaceName, Tally } from './tally.ts'
import { UserOutputsCheck } from './user-outputs-check.ts'

/** Every place of a stream; null: it is left out. */
export type PassPlaces = {
  readonly kafka: KafkaPort
  readonly cql: CqlPort | null
  readonly sql: SqlPort | null
  readonly archiveDir: string | null
  readonly names: StreamNames
  readonly partitions: number
  readonly clock: Clock
}

export type PassOptions = PassPlaces & {
  readonly common: CommonBarrier
  readonly tally: Tally
  readonly sink: RowSink
  readonly wants: (shape: RowShape) => boolean
  readonly onProgress?: (text: string) => void
}

/** One reading of the log and of every place. */
export class Pass {
  readonly #options: PassOptions
  readonly #sink: RowSink
  readonly #starrocks = new StarRocksRows()
  readonly #log = new LogState()
  readonly #buckets = new HistoryBuckets()
  readonly #openSlots = new OpenSlots()
  readonly #rows: ExpectedRows
  readonly #ledger: NaiveLedger
  readonly #states: States

  constructor(options: PassOptions) {
    this.#options = options
    const { partitions, common, tally } = options
    this.#sink = sinkOf(options)
    const rows = new ExpectedRows({ sink: this.#sink, partitions, starrocks: this.#starrocks, buckets: this.#buckets })
    this.#rows = rows
    this.#ledger = new NaiveLedger({
      onPosting: (posting, place) => {
        rows.posting(posting, place)
        this.#log.posting(posting, { ...place, time: rows.tablePlace(place).time })
      },
      onTrade: (trade, place) => rows.trade(trade, place),
      onOrderUpdate: (update, place) => {
        rows.order(update, place)
        this.#log.orderUpdate(update, place)
      },
    })
    const { pos: barrier } = common.barrier
    this.#states = new States({
      ledger: this.#ledger,
      log: this.#log,
      buckets: this.#buckets,
      openSlots: this.#openSlots,
      starrocksRows: this.#starrocks,
      barrier,
      tally,
      leftOut: leftOutOf(options),
    })
  }

  /** Reads all there is. Returns the number of balances that stand still because their users are parked. */
  async everything(): Promise<{ readonly parkedBalances: number }> {
    const { kafka, names, cql, sql, onProgress } = this.#options
    onProgress?.('reading ScyllaDB, StarRocks and the archive')
    await Promise.all([
      cql && scanScyllaStates(cql, this.#states).then(() => this.#scanScyllaRows()),
      sql && scanStarRocksStates(sql, this.#states).then(() => this.#scanStarRocksRows()),
      this.#checkArchive(),
    ])
    // Users' end first: everything in it comes from a log that is at least as long as the one read after it.
    const usersEnd = await kafka.bounds(names.topics.users)
    const end = (await kafka.bounds(names.topics.log)).get(0)?.end ?? 0n
    onProgress?.(`folding the log anew: ${end} offsets`)
    await this.#walk({ usersEnd, end, states: this.#states })
    for (const problem of this.#ledger.problems())
      this.#options.tally.differ('Kafka', 'engine.outputs', { kind: 'broken', key: 'naive ledger', problem })
    return { parkedBalances: this.#states.stoodStill }
  }

  /** Reads the wanted tables again, and the log up to the barrier. */
  async rowsAgain(): Promise<void> {
    const { kafka, names, common } = this.#options
    await Promise.all([this.#scanScyllaRows(), this.#scanStarRocksRows(), this.#checkArchive()])
    await this.#walk({ usersEnd: await kafka.bounds(names.topics.users), end: common.barrier.src + 1n, states: null })
  }

  async #scanScyllaRows(): Promise<void> {
    const { cql, sink, wants, common } = this.#options
    if (cql) await scanScyllaRows({ cql, sink, wants, barrier: common.barrier.pos })
  }

  async #scanStarRocksRows(): Promise<void> {
    const { sql, sink, wants, common } = this.#options
    if (sql) await scanStarRocksRows({ sql, sink, wants, barrier: common.barrier.pos })
  }

  async #checkArchive(): Promise<void> {
    const { archiveDir: dir, names, partitions, common, tally, sink, wants } = this.#options
    const { archive, archiveLog } = common.readers
    if (dir === null || archive === null || archiveLog === null) return
    const check = (partition: ArchivePartition, progress: Progress | undefined): Promise<void> =>
      checkArchive({ dir, partition, progress: archived(progress), barrier: common.barrier.pos, tally, sink, wants })
    const { stream } = names
    await check({ stream, topic: 'engine.outputs', partition: 0, partitions: 1 }, archiveLog.get(0))
    for (let partition = 0; partition < partitions; partition++)
      await check({ stream, topic: 'user.outputs', partition, partitions }, archive.get(partition))
  }

  /** Takes the log record by record, beside `user.outputs`. `states`: null when only rows are wanted. */
  async #walk({ usersEnd, end, states }: Walk): Promise<void> {
    const { kafka, clock, names, common, tally } = this.#options
    const fetcher = kafka.openFetcher()
    try {
      const users = this.#openUsersCheck(fetcher, usersEnd)
      const log = new LogCheck(tally)
      const barrierSrc = common.barrier.src
      let place: 'before' | 'after' = 'before'
      const range = { fetcher, clock, topic: names.topics.log, partition: 0, from: 0n, to: end }
      for await (const batch of readTopic(range))
        for (const kafkaRecord of batch) {
          if (place === 'before' && kafkaRecord.offset > barrierSrc) {
            place = 'after'
            this.#passBarrier(states)
          }
          const record = this.#decode(kafkaRecord)
          if (!record) continue
          log.take(record, kafkaRecord)
          this.#take(record, kafkaRecord.value)
          if (place === 'after') states?.afterBarrier(record)
          await users.take(kafkaRecord.offset, record)
        }
      if (place === 'before') this.#passBarrier(states)
      if (states) await users.end()
      states?.end()
    } finally {
      await fetcher.close()
    }
  }

  #take(record: LogRecord, value: Buffer): void {
    this.#log.forgetTouched()
    this.#buckets.forgetTouched()
    this.#openSlots.forgetTouched()
    this.#rows.begin(record, value)
    if (record.kind === 'Reference' && record.output.reference) {
      this.#starrocks.learn(record.output.reference, record.pos)
      this.#log.reference = { data: record.output.reference, pos: record.pos }
    }
    const operated = operatedUser(record)
    if (operated !== null) this.#log.operated(operated, record.pos)
    this.#ledger.take(record)
    this.#rows.end()
    for (const order of this.#log.touched.orders) {
      const update = this.#ledger.order(order)
      const place = this.#log.orderPlace(order)
      if (update && place) this.#openSlots.take({ update, ...place })
    }
  }

  #passBarrier(states: States | null): void {
    states?.atBarrier()
    this.#rows.passBarrier()
  }

  #openUsersCheck(fetcher: Fetcher, ends: ReadonlyMap<number, PartitionBounds>): UserOutputsCheck {
    const { clock, names, partitions, common, tally } = this.#options
    const cursors = Array.from(
      { length: partitions },
      (_, partition) =>
        new PartitionCursor({
          fetcher,
          clock,
          topic: names.topics.users,
          partition,
          from: 0n,
          to: ends.get(partition)?.end ?? 0n,
        }),
    )
    const { barrier } = common
    return new UserOutputsCheck({
      cursors,
      tally,
      mustReach: barrier.src,
      onInterval: interval => {
        if (interval.pos <= barrier.pos) this.#sink.expected(scyllaRows.intervals, intervalRow(interval))
      },
    })
  }

  #decode({ offset, value }: KafkaRecord): LogRecord | null {
    try {
      return decodeLogRecord(value)
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      this.#options.tally.differ('Kafka', 'engine.outputs', { kind: 'broken', key: `offset=${offset}`, problem })
      return null
    }
  }
}

type Walk = {
  readonly usersEnd: ReadonlyMap<number, PartitionBounds>
  readonly end: bigint
  readonly states: States | null
}

/** Places that nobody looks at. */
export const leftOutOf = ({ cql, sql, archiveDir }: PassPlaces): ReadonlySet<PlaceName> => {
  const leftOut = new Set<PlaceName>()
  if (cql === null) leftOut.add('ScyllaDB')
  if (sql === null) leftOut.add('StarRocks')
  if (archiveDir === null) leftOut.add('CSV')
  return leftOut
}

/** Without the rows that a place which is left out should have. */
const sinkOf = ({ sink, ...places }: PassOptions): RowSink => {
  const leftOut = leftOutOf(places)
  return {
    expected: (shape, row) => {
      if (!leftOut.has(shape.place)) sink.expected(shape, row)
    },
    found: (shape, row) => sink.found(shape, row),
  }
}

/** The archive commits the last record of a closed window, with the hash of its chain as a note. */
const archived = (progress: Progress | undefined): { readonly pos: Pos; readonly hash: string | null } => ({
  pos: progress?.pos ?? (0n as Pos),
  hash: /^\d+:([0-9a-f]{64})$/.exec(progress?.note ?? '')?.[1] ?? null,
})
