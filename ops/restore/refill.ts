import type { Pos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import { KafkaFailure, type KafkaPort, type OutgoingRecord, type TxWriter } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { restoreMark } from '../../runtime/restore-mark.ts'
import { refuse, Stop } from '../../runtime/stop.ts'
import type { ArchivedRecord } from '../archive/archived-log.ts'
import type { ArchivedWhole, ArchiveSource } from './archive-source.ts'
import { differs, isSame } from './compare-log.ts'
import { restoreLimits as limits } from './limits.ts'

export type RefillOptions = {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly names: StreamNames
  readonly source: ArchiveSource
  readonly whole: ArchivedWhole
  readonly batchBytes: number
  /** Records of the archive that the topic has, after each transaction. */
  readonly onProgress: (written: bigint) => void
}

/** Writes the archive's records behind those that the topic has, until it has all of them. */
export const refill = async (options: RefillOptions): Promise<void> => {
  const work = new Refill(options)
  for (let failures = 0; ; ) {
    const before = work.written
    try {
      await work.term()
      return
    } catch (error) {
      if (!(error instanceof KafkaFailure) || error.kind === 'fatal' || error.kind === 'out-of-range') throw error
      if (error.kind === 'fenced') throw fenced(error)
      failures = work.written > before ? 1 : failures + 1
      if (failures >= limits.failures) throw gaveUp(error, failures)
      await options.clock.sleep(limits.retryMs)
    }
  }
}

class Refill {
  readonly #options: RefillOptions
  written = 0n

  constructor(options: RefillOptions) {
    this.#options = options
  }

  /** From one fence to the next: whoever wrote before writes no more, and then the tail is what it is. */
  async term(): Promise<void> {
    const { kafka, names } = this.#options
    const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.bridge })
    try {
      await this.#write(writer, await this.#rest())
    } finally {
      await writer.close()
    }
  }

  /** The records behind the topic's last one, which must be one of the archive's. */
  async #rest(): Promise<AsyncGenerator<ArchivedRecord>> {
    const { kafka, names, source, whole } = this.#options
    const topic = names.topics.log
    const [tail] = await kafka.readTail({ topic, partition: 0, count: 1 })
    if (!tail) return source.records(whole, null)
    // Kafka's time is pos in ms: of the few records of that ms one must be the tail.
    const rest = source.records(whole, (tail.timestampMs * 1000n) as Pos)
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      if (isSame(next.value, tail)) return rest
      if (next.value.record.pos / 1000n > tail.timestampMs) throw differs(topic, tail, next.value)
    }
    throw differs(topic, tail, null)
  }

  async #write(writer: TxWriter, rest: AsyncGenerator<ArchivedRecord>): Promise<void> {
    const { batchBytes, whole } = this.#options
    let batch: ArchivedRecord[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await this.#commit(writer, batch)
      batch = []
      bytes = 0
    }
    for await (const archived of rest) {
      const size = archived.value.length + limits.recordOverheadBytes
      if (batch.length >= limits.batchCount || bytes + size > batchBytes) await flush()
      batch.push(archived)
      bytes += size
    }
    if (batch.at(-1)?.record.pos !== whole.last.pos) throw new Error('the archive ended before its last record')
    await flush()
  }

  async #commit(writer: TxWriter, batch: readonly ArchivedRecord[]): Promise<void> {
    const { kafka, names, whole, onProgress } = this.#options
    const { groups, topics } = names
    const at = (await kafka.committed({ group: groups.bridge, topic: topics.commands })).get(0)
    const isLast = batch.at(-1)?.record.pos === whole.last.pos
    await writer.commitBatch({
      records: batch.map(({ record, value }): OutgoingRecord => {
        const timestampMs = record.pos / 1000n
        return { topic: topics.log, partition: 0, key: null, value, timestampMs }
      }),
      groupOffset: {
        ...{ group: groups.bridge, topic: topics.commands, partition: 0 },
        ...{ offset: at?.offset ?? 0n, metadata: isLast ? restoreMark.done : restoreMark.begun },
      },
    })
    this.written += BigInt(batch.length)
    onProgress(this.written)
  }
}

const fenced = (cause: KafkaFailure): Stop =>
  refuse(
    'restore-fenced',
    `another writer of the log began meanwhile (${cause.message}): a bridge was started, or a second restore. A bridge stops by itself on a log that is not yet whole; stop both, then run it again: it goes on where it was`,
  )

const gaveUp = (cause: KafkaFailure, failures: number): Stop =>
  new Stop({
    code: 'restore-kafka',
    reason: 'failed',
    message: `Kafka failed ${failures} times in a row: ${cause.message}. What was written stands; run it again: it goes on where it was`,
    cause,
  })
