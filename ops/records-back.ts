import type { KafkaPort, KafkaRecord } from '../runtime/kafka/port.ts'

const batchCount = 500

/** Committed records of a topic's first partition, newest first; `before`: the offset to begin before. */
export async function* recordsBack(
  kafka: KafkaPort,
  options: { readonly topic: string; readonly before?: bigint },
): AsyncGenerator<KafkaRecord> {
  for (let next: { readonly before?: bigint } | null = options; next; ) {
    const tail: readonly KafkaRecord[] = await kafka.readTail({
      ...next,
      topic: options.topic,
      partition: 0,
      count: batchCount,
    })
    yield* tail.toReversed()
    const [first] = tail
    next = first ? { before: first.offset } : null
  }
}
