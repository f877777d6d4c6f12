import type { KafkaPort, KafkaRecord } from '../../runtime/kafka/port.ts'

/** The committed records of a partition, from its beginning to where it ends now. */
export const readTopic = async (kafka: KafkaPort, topic: string, partition = 0): Promise<KafkaRecord[]> => {
  const end = (await kafka.bounds(topic)).get(partition)?.end ?? 0n
  const fetcher = kafka.openFetcher()
  try {
    const found: KafkaRecord[] = []
    for (let offset = 0n; offset < end; ) {
      const { records, next } = await fetcher.read({ topic, partition, offset })
      found.push(...records)
      offset = next
    }
    return found
  } finally {
    await fetcher.close()
  }
}
