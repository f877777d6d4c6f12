import type { LogRecord } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'

export type PlacedLogRecord = { readonly offset: bigint; readonly record: LogRecord }

export const boundsOf = async (kafka: KafkaPort, topic: string): Promise<{ low: bigint; end: bigint }> =>
  (await kafka.bounds(topic)).get(0) ?? { low: 0n, end: 0n }

/** The last record at or before an offset; null when there is none. */
const lastUpTo = async (kafka: KafkaPort, topic: string, offset: bigint): Promise<PlacedLogRecord | null> => {
  const [found] = await kafka.readTail({ topic, partition: 0, count: 1, before: offset + 1n })
  return found ? { offset: found.offset, record: decodeLogRecord(found.value) } : null
}

/** The log's last record whose pos is at or below one: pos rises with the offset, so a binary search finds it. */
export const lastAtPos = async (kafka: KafkaPort, topic: string, pos: Pos): Promise<PlacedLogRecord | null> => {
  let { low, end } = await boundsOf(kafka, topic)
  let found: PlacedLogRecord | null = null
  while (low < end) {
    const middle = (low + end) / 2n
    const last = await lastUpTo(kafka, topic, middle)
    if (!last) low = middle + 1n
    else if (last.record.pos <= pos) {
      found = last
      low = middle + 1n
    } else end = last.offset
  }
  return found
}

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
