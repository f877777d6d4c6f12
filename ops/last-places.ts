import type { Barrier } from '../core/events.ts'
import type { Pos } from '../core/ids.ts'
import type { KafkaPort } from '../runtime/kafka/port.ts'
import { decodeLogRecord, decodeUserRecord } from '../schemas/codec.ts'
import { recordsBack } from './records-back.ts'

/** pos of the log's last Output; null when there is none. */
export const lastOutput = async (kafka: KafkaPort, topic: string): Promise<Pos | null> => {
  for await (const { value } of recordsBack(kafka, { topic })) {
    const record = decodeLogRecord(value)
    if (record.kind === 'Output') return record.pos
  }
  return null
}

/** Barriers of `user.outputs`, newest first; every partition has every one, so the first partition tells. */
export async function* barriersBack(
  kafka: KafkaPort,
  options: Parameters<typeof recordsBack>[1],
): AsyncGenerator<Barrier> {
  for await (const { value } of recordsBack(kafka, options)) {
    const record = decodeUserRecord(value)
    if (record.kind === 'Barrier') yield record
  }
}

type Placed<R> = { readonly offset: bigint; readonly record: R }

/** A partition's last record whose pos is at or below one: pos never falls, so a binary search finds it. */
export const lastUpToPos = async <R extends { readonly pos: Pos }>(
  kafka: KafkaPort,
  from: { readonly topic: string; readonly partition: number; readonly decode: (value: Buffer) => R },
  pos: Pos,
): Promise<Placed<R> | null> => {
  const { topic, partition, decode } = from
  let { low, end } = (await kafka.bounds(topic)).get(partition) ?? { low: 0n, end: 0n }
  let found: Placed<R> | null = null
  while (low < end) {
    const middle = (low + end) / 2n
    const [last] = await kafka.readTail({ topic, partition, count: 1, before: middle + 1n })
    const record = last && decode(last.value)
    if (!last || !record) low = middle + 1n
    else if (record.pos <= pos) {
      found = { offset: last.offset, record }
      low = middle + 1n
    } else end = last.offset
  }
  return found
}
