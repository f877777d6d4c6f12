import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import { userKey } from '../../core/partition.ts'
import type { Fetcher, KafkaRecord, OutgoingRecord, TxWriter } from '../../runtime/kafka/port.ts'
import { refuse } from '../../runtime/stop.ts'
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
  readonly onProgress: (pos: Pos) => void
}

/** From one fence to the next. */
export class Term {
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
    const topic = settings.names.topics.log
    const read = (): ReturnType<Fetcher['read']> => {
      const answer = fetcher.read({ topic, partition: 0, offset: this.#offset, maxBytes: limits.fetchBytes })
      // It runs beside a transaction; if that fails, or the term ends, nobody waits for it.
      answer.catch(() => {})
      return answer
    }
    let ahead = read()
    while (!signal.aborted) {
      const { records, next } = await ahead
      this.#offset = next
      ahead = read()
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
