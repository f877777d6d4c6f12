import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { userKey } from '../../core/partition.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Fetcher, KafkaPort, KafkaRecord, OutgoingRecord, TxWriter } from '../../runtime/kafka/port.ts'
import { Leadership } from '../../runtime/leadership.ts'
import type { Log } from '../../runtime/log.ts'
import type { StreamNames } from '../../runtime/names.ts'
import type { Service } from '../../runtime/service.ts'
import { refuse } from '../../runtime/stop.ts'
import { decodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import { limits } from './limits.ts'
import { type Recovered, recover } from './recovery.ts'
import type { Placed, Refusal, Repartitioner } from './repartitioner.ts'

export type RepartitionSettings = {
  readonly names: StreamNames
  readonly partitions: number
  /** A barrier at least this often while anything comes in. */
  readonly barrierIntervalMs: number
  /** And at least every so many outputs. */
  readonly barrierOutputs: number
}

export type RepartitionPorts = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Registry
}

/** `engine.outputs` → `user.outputs`: each output whole in one transaction, users ascending, barriers between. */
export class Repartition implements Service {
  readonly #settings: RepartitionSettings
  readonly #ports: RepartitionPorts
  readonly #leadership: Leadership
  readonly #meters: ReturnType<typeof openMeters>
  #pos: Pos | null = null

  constructor(settings: RepartitionSettings, ports: RepartitionPorts) {
    this.#settings = settings
    this.#ports = ports
    this.#meters = openMeters(ports.metrics)
    const { kafka, clock, log } = ports
    this.#leadership = new Leadership({
      kafka,
      clock,
      log,
      group: settings.names.groups.repartition,
      topic: settings.names.topics.log,
      backoffMs: limits.termBackoffMs,
      lead: signal => this.#lead(signal),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#checkTopics()
    await this.#leadership.run(signal)
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    const { state } = this.#leadership
    return { ok: state !== 'joining' && state !== 'stopped', state, pos: this.#pos }
  }

  async #checkTopics(): Promise<void> {
    const { names, partitions } = this.#settings
    const { users, log } = names.topics
    const counts = await this.#ports.kafka.admin.partitionCounts([users, log])
    for (const topic of [users, log])
      if (!counts.has(topic)) throw refuse('topic-missing', `topic ${topic} does not exist; run: settle init`)
    const count = counts.get(users) as number
    if (count < partitions)
      throw refuse(
        'topic-partitions',
        `topic ${users} has ${count} partitions, PARTITIONS says ${partitions}: users would go to partitions that do not exist; set PARTITIONS to what the stream was made with`,
        { count, partitions },
      )
    if (count > partitions)
      this.#ports.log.error({ topic: users, count, partitions }, 'topic has more partitions than PARTITIONS says')
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { kafka, log } = this.#ports
    const { names, partitions } = this.#settings
    const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.repartition })
    const fetcher = kafka.openFetcher()
    try {
      const recovered = await recover({ kafka, fetcher, names, partitions })
      log.info({ src: recovered.src }, 'leading from the tails of user.outputs')
      const onProgress = (pos: Pos): void => {
        this.#pos = pos
        this.#meters.pos.set(Number(pos))
      }
      const term = { settings: this.#settings, ports: this.#ports, meters: this.#meters, writer, fetcher, onProgress }
      await new Term(term, recovered).run(signal)
    } finally {
      await fetcher.close()
      await writer.close()
    }
  }
}

type TermOptions = {
  readonly settings: RepartitionSettings
  readonly ports: RepartitionPorts
  readonly meters: ReturnType<typeof openMeters>
  readonly writer: TxWriter
  readonly fetcher: Fetcher
  readonly onProgress: (pos: Pos) => void
}

/** From one fence to the next. */
class Term {
  readonly #options: TermOptions
  readonly #repartitioner: Repartitioner
  #referenceSrc: bigint
  #offset: bigint
  #lastSrc: bigint
  #barrierMs: number
  /** Positions that an operator admits further on in the log. */
  readonly #admitted = new Set<Pos>()

  constructor(options: TermOptions, { repartitioner, src, referenceSrc }: Recovered) {
    this.#options = options
    this.#repartitioner = repartitioner
    this.#referenceSrc = referenceSrc
    this.#offset = src + 1n
    this.#lastSrc = src
    this.#barrierMs = options.ports.clock.monotonicMs()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { fetcher, settings } = this.#options
    const read = (): ReturnType<Fetcher['read']> =>
      fetcher.read({
        topic: settings.names.topics.log,
        partition: 0,
        offset: this.#offset,
        maxBytes: limits.fetchBytes,
      })
    let ahead = read()
    while (!signal.aborted) {
      const { records, next } = await ahead
      this.#offset = next
      ahead = read()
      // The next read runs beside the transaction; if that fails, nobody waits for it.
      ahead.catch(() => {})
      await this.#write(records)
    }
  }

  /** Log records into transactions: each output whole, as many as fit. */
  async #write(records: readonly KafkaRecord[]): Promise<void> {
    let batch: Placed[] = []
    let count = 0
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await this.#commit(batch)
      batch = []
      count = 0
    }
    for (const { offset, value } of records) {
      const record = decodeLogRecord(value)
      await this.#check(offset, record)
      batch.push(...this.#repartitioner.take(offset, record))
      this.#lastSrc = offset
      if (record.kind === 'Reference') this.#referenceSrc = offset
      if (this.#repartitioner.outputsSinceBarrier >= this.#options.settings.barrierOutputs) this.#barrier(batch)
      if (++count >= limits.batchCount || batch.length >= limits.batchRecords) await flush()
    }
    const { clock } = this.#options.ports
    const due = clock.monotonicMs() - this.#barrierMs >= this.#options.settings.barrierIntervalMs
    if (due && this.#repartitioner.barrierPossible) this.#barrier(batch)
    await flush()
  }

  #barrier(batch: Placed[]): void {
    batch.push(...this.#repartitioner.barrier())
    this.#barrierMs = this.#options.ports.clock.monotonicMs()
    this.#options.meters.barriers.inc()
  }

  async #commit(batch: readonly Placed[]): Promise<void> {
    const { ports, settings, meters, writer, onProgress } = this.#options
    const { names } = settings
    const startMs = ports.clock.monotonicMs()
    const records = batch.map(({ partition, record }): OutgoingRecord => {
      const key = keyOf(record)
      const value = encodeUserRecord(record)
      return { topic: names.topics.users, partition, key, value, timestampMs: record.pos / 1000n }
    })
    const last = batch.at(-1)?.record
    // With a barrier goes where the reference data stands, so that the next start need not search the log for it.
    const groupOffset =
      last?.kind === 'Barrier'
        ? {
            group: names.groups.repartition,
            topic: names.topics.log,
            partition: 0,
            offset: last.src + 1n,
            metadata: `ref=${this.#referenceSrc < 0n ? 0n : this.#referenceSrc}`,
          }
        : null
    await writer.commitBatch(groupOffset ? { records, groupOffset } : { records })
    meters.commitSeconds.observe((ports.clock.monotonicMs() - startMs) / 1000)
    meters.records.inc(records.length)
    meters.src.set(Number(this.#lastSrc))
    if (last) onProgress(last.pos)
  }

  /** An output that fails its checks stops everything behind it, unless an operator has admitted it further on. */
  async #check(offset: bigint, record: LogRecord): Promise<void> {
    const refusal = this.#repartitioner.refusal(record)
    if (!refusal) return
    if (!this.#admitted.has(record.pos)) await this.#readAdmits(offset + 1n)
    if (this.#admitted.delete(record.pos)) {
      this.#options.ports.log.error({ pos: record.pos, ...refusal }, 'taken though it fails its checks: admitted')
      return
    }
    throw this.#refused(offset, record, refusal)
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

  #refused(offset: bigint, { kind, pos, at }: LogRecord, { kind: code, message }: Refusal): Error {
    return refuse(
      'output-refused',
      `${kind} at pos ${pos} (offset ${offset}, session ${at.epoch}/${at.random} seq ${at.seq}) fails its checks: ${message}; look at the engine, then admit it with: settle admit ${pos}`,
      { offset, pos, check: code },
    )
  }
}

const keyOf = (record: Placed['record']): Buffer | null => {
  switch (record.kind) {
    case 'UserOutput':
    case 'UserRedrive':
      return userKey(record.user)
    case 'UserCorrection':
      return userKey(record.correction.user)
    case 'UserReference':
    case 'Barrier':
      return null
  }
}

const openMeters = (registry: Registry) => {
  const registers = [registry]
  return {
    records: new Counter({ name: 'settle_repartition_records_total', help: 'Records written', registers }),
    barriers: new Counter({ name: 'settle_repartition_barriers_total', help: 'Barriers written', registers }),
    src: new Gauge({ name: 'settle_repartition_src', help: 'Last offset of the log taken', registers }),
    pos: new Gauge({ name: 'settle_repartition_pos_us', help: 'pos of the last record written', registers }),
    commitSeconds: new Histogram({
      name: 'settle_repartition_commit_seconds',
      help: 'Time of one transaction',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
  }
}
