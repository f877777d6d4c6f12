import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import { lastUpToPos } from '../last-places.ts'

export type PlacedLogRecord = { readonly offset: bigint; readonly record: LogRecord }

export const boundsOf = async (kafka: KafkaPort, topic: string): Promise<{ low: bigint; end: bigint }> =>
  (await kafka.bounds(topic)).get(0) ?? { low: 0n, end: 0n }

/** The log's last record whose pos is at or below one; null when there is none. */
export const lastAtPos = (kafka: KafkaPort, topic: string, pos: Pos): Promise<PlacedLogRecord | null> =>
  lastUpToPos(kafka, { topic, partition: 0, decode: decodeLogRecord }, pos)

/** The log's records from an offset up to where it ends when this begins. */
export async function* logRecordsFrom(kafka: KafkaPort, topic: string, from: bigint): AsyncGenerator<PlacedLogRecord> {
  const { low, end } = await boundsOf(kafka, topic)
  const fetcher = kafka.openFetcher()
  try {
    for (let offset = from > low ? from : low; offset < end; ) {
      const { records, next } = await fetcher.read({ topic, partition: 0, offset })
      for (const record of records)
        if (record.offset < end) yield { offset: record.offset, record: decodeLogRecord(record.value) }
      offset = next
    }
  } finally {
    await fetcher.close()
  }
}
