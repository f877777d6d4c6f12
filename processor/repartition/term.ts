import type { LogRecord, UserRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { userKey } from '../../core/partition.ts'
import { userOf } from '../../core/user-of.ts'
import type { Fetcher, KafkaRecord, OutgoingRecord, TxWriter } from '../../runtime/kafka/port.ts'
import { refuse, type Stop } from '../../runtime/stop.ts'
import { decodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import { limits } from './limits.ts'
import type { RepartitionMeters } from './meters.ts'
import type { Recovered } from './recovery.ts'
import type { RepartitionPorts, RepartitionSettings } from './repartition.ts'
import type { Placed, Refusal, Repartitioner } from './repartitioner.ts'

type TermOptions = {
  readonly settings: RepartitionSettings
  readonly ports: RepartitionPorts
  readonly meters: RepartitionMeters
  readonly writer: TxWriter
  readonly fetcher: Fetcher
  /** What `user.outputs` takes of one partition in one request. */
  readonly maxMessageBytes: number
  readonly onProgress: (pos: Pos) => void
}

/** Records in the bytes that they go out in: what they were made of is not kept while they wait. */
type Made = {
  readonly records: OutgoingRecord[]
  /** With what Kafka adds. */
  bytes: number
  last: UserRecord | null
}

type Batch = Made & {
  /** Log records of which it has all that they became. */
  taken: number
}

type Transaction = Readonly<Made> & {
  /** Offset of the last log record that it has, or that made no record. */
  readonly lastSrc: bigint
  readonly referenceSrc: bigint
}

const nothing = (): Made => ({ records: [], bytes: 0, last: null })
const emptyBatch = (): Batch => ({ ...nothing(), taken: 0 })

const append = (to: Made, { records, bytes, last }: Readonly<Made>): void => {
  to.records.push(...records)
  to.bytes += bytes
  to.last = last ?? to.last
}

/** With what Kafka adds to a record and to its batch, on the safe side. */
const bytesOf = ({ value }: OutgoingRecord): number => value.length + limits.recordOverheadBytes

/** From one fence to the next. */
export class Term {
  readonly #options: TermOptions
  readonly #repartitioner: Repartitioner
  readonly #batchBytes: number
  #referenceSrc: bigint
  #offset: bigint
  #lastSrc: bigint
  #barrierMs: number
  /** The transaction under way: what comes behind it is made meanwhile. */
  #committing: Promise<void> = Promise.resolve()
  /** Positions that an operator admits further on in the log. */
  readonly #admitted = new Set<Pos>()

  constructor(options: TermOptions, { repartitioner, src, referenceSrc }: Recovered) {
    this.#options = options
    this.#repartitioner = repartitioner
    this.#batchBytes = Math.min(limits.batchBytes, options.maxMessageBytes)
    this.#referenceSrc = referenceSrc
    this.#offset = src + 1n
    this.#lastSrc = src
    this.#barrierMs = options.ports.clock.monotonicMs()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { fetcher, settings } = this.#options
    const topic = settings.names.topics.log
    const read = (): ReturnType<Fetcher['read']> => {
      const answer = fetcher.read({ topic, partition: 0, offset: this.#offset, maxBytes: limits.fetchBytes })
      // It runs beside a transaction; if that fails, or the term ends, nobody waits for it.
      answer.catch(() => {})
      return answer
    }
    let ahead = read()
    try {
      while (!signal.aborted) {
        const fetched = ahead
        // A transaction that fails ends the term, however long nothing more comes.
        const { records, next } = await Promise.race([fetched, this.#committing.then(() => fetched)])
        this.#offset = next
        ahead = read()
        await this.#write(records)
      }
    } finally {
      // How Kafka failed comes before whatever else is wrong.
      await this.#committing
    }
  }

  /** Log records into transactions: each output whole, as many as fit. */
  async #write(fetched: readonly KafkaRecord[]): Promise<void> {
    let batch = emptyBatch()
    const flush = async (): Promise<void> => {
      const whole = { ...batch, lastSrc: this.#lastSrc, referenceSrc: this.#referenceSrc }
      batch = emptyBatch()
      await this.#committing
      if (whole.records.length === 0) return
      this.#committing = this.#commit(whole)
      // Whoever comes next awaits it; until then a failure must not go unheard.
      this.#committing.catch(() => {})
    }
    for (const { offset, value } of fetched) {
      const record = decodeLogRecord(value)
      const refused = await this.#refused(offset, record)
      if (refused) {
        // What stands before it is settled, and behind a barrier, so that everybody can be proven up to here.
        if (this.#repartitioner.barrierPossible) this.#barrier(batch)
        await flush()
        throw refused
      }
      const made = this.#made(this.#repartitioner.take(offset, record))
      if (batch.bytes + made.bytes > this.#batchBytes) {
        await flush()
        this.#checkFits(record, made.records)
      }
      append(batch, made)
      batch.taken++
      this.#lastSrc = offset
      if (record.kind === 'Reference') this.#referenceSrc = offset
      if (this.#repartitioner.outputsSinceBarrier >= this.#options.settings.barrierOutputs) this.#barrier(batch)
      if (batch.taken >= limits.batchCount || batch.records.length >= limits.batchRecords) await flush()
    }
    const { clock } = this.#options.ports
    const due = clock.monotonicMs() - this.#barrierMs >= this.#options.settings.barrierIntervalMs
    if (due && this.#repartitioner.barrierPossible) this.#barrier(batch)
    await flush()
  }

  /** An output that is larger than a transaction's bound goes alone, as long as Kafka takes each partition's part. */
  #checkFits({ pos }: LogRecord, made: readonly OutgoingRecord[]): void {
    const { maxMessageBytes, settings } = this.#options
    for (const [partition, records] of Map.groupBy(made, each => each.partition)) {
      const bytes = records.reduce((sum, each) => sum + bytesOf(each), 0)
      if (bytes <= maxMessageBytes) continue
      const { users } = settings.names.topics
      throw refuse(
        'output-bytes',
        `the output at pos ${pos} becomes ${bytes} bytes in ${users}-${partition}, above its max.message.bytes=${maxMessageBytes}; raise that of the topic (kafka-configs.sh --alter) and MAX_MESSAGE_BYTES, then start again`,
        { pos, partition, bytes, maxMessageBytes },
      )
    }
  }

  #barrier(batch: Batch): void {
    append(batch, this.#made(this.#repartitioner.barrier()))
    this.#barrierMs = this.#options.ports.clock.monotonicMs()
    this.#options.meters.barriers.inc()
  }

  #made(placed: readonly Placed[]): Made {
    const topic = this.#options.settings.names.topics.users
    const made = nothing()
    for (const { partition, record } of placed) {
      const value = encodeUserRecord(record)
      const outgoing = { topic, partition, key: keyOf(record), value, timestampMs: record.pos / 1000n }
      made.records.push(outgoing)
      made.bytes += bytesOf(outgoing)
      made.last = record
    }
    return made
  }

  async #commit({ records, last, lastSrc, referenceSrc }: Transaction): Promise<void> {
    const { ports, settings, meters, writer, onProgress } = this.#options
    const { names } = settings
    const startMs = ports.clock.monotonicMs()
    // With a barrier goes where the reference data stands, so that the next start need not search the log for it.
    const groupOffset =
      last?.kind === 'Barrier'
        ? {
            group: names.groups.repartition,
            topic: names.topics.log,
            partition: 0,
            offset: last.src + 1n,
            metadata: `ref=${referenceSrc < 0n ? 0n : referenceSrc}`,
          }
        : null
    await writer.commitBatch(groupOffset ? { records, groupOffset } : { records })
    meters.commitSeconds.observe((ports.clock.monotonicMs() - startMs) / 1000)
    meters.records.inc(records.length)
    meters.src.set(Number(lastSrc))
    if (last) onProgress(last.pos)
  }

  /** An output that fails its checks stops everything behind it, unless an operator has admitted it further on. */
  async #refused(offset: bigint, record: LogRecord): Promise<Stop | null> {
    const refusal = this.#repartitioner.refusal(record)
    if (!refusal) return null
    if (!this.#admitted.has(record.pos)) await this.#readAdmits(offset + 1n)
    if (!this.#admitted.delete(record.pos)) return outputRefused(offset, record, refusal)
    this.#options.ports.log.error({ pos: record.pos, ...refusal }, 'taken though it fails its checks: admitted')
    return null
  }

  async #readAdmits(from: bigint): Promise<void> {
    const { fetcher, ports, settings } = this.#options
    const topic = settings.names.topics.log
    const end = (await ports.kafka.bounds(topic)).get(0)?.end ?? 0n
    for (let offset = from; offset < end; ) {
      const { records, next } = await fetcher.read({ topic, partition: 0, offset })
      for (const { value } of records) {
        const record = decodeLogRecord(value)
        if (record.kind === 'Admit') this.#admitted.add(record.refusedPos)
      }
      offset = next
    }
  }
}

const outputRefused = (offset: bigint, { kind, pos, at }: LogRecord, { kind: code, message }: Refusal): Stop => {
  const wayOut =
    kind === 'Output'
      ? `admit it with: settle admit --pos ${pos}`
      : 'see that it is the engine of this stream: reference data can not be admitted'
  return refuse(
    'output-refused',
    `${kind} at pos ${pos} (offset ${offset}, session ${at.epoch}/${at.random} seq ${at.seq}) fails its checks: ${message}; look at the engine, then ${wayOut}`,
    { offset, pos, check: code },
  )
}

const keyOf = (record: UserRecord): Buffer | null => {
  const user = userOf(record)
  return user === null ? null : userKey(user)
}
