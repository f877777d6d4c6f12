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
