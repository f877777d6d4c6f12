import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import { KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import { decodeLogRecord, payloadOf } from '../../schemas/codec.ts'
import type { ReadRecord } from './check-log.ts'

/** A way to Kafka that says nothing of outages: they are made on purpose. */
export const openQuietKafka = (brokers: readonly string[]): KafkaPort =>
  openKafka({
    brokers,
    clientId: 'chaos',
    log: pino({ level: 'silent' }),
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })

/** Where a log ends for a reader of committed data: its last record, or null. */
export const readLast = async (kafka: KafkaPort, topic: string): Promise<ReadRecord | null> => {
  const [last] = await kafka.readTail({ topic, partition: 0, count: 1 })
  return last ? decoded(last) : null
}

/** The committed records of `engine.outputs` from its beginning to where it ends now. */
export async function* readLog(kafka: KafkaPort, topic: string): AsyncGenerator<ReadRecord, void, undefined> {
  const bounds = (await kafka.bounds(topic)).get(0)
  if (!bounds) throw new Error(`topic ${topic} is missing`)
  if (bounds.low !== 0n) throw new Error(`topic ${topic} begins at ${bounds.low}: something was deleted`)
  const fetcher = kafka.openFetcher()
  try {
    for (let offset = 0n; offset < bounds.end; ) {
      const { records, next } = await fetcher.read({ topic, partition: 0, offset, maxBytes: 4 * 1024 * 1024 })
      for (const record of records) yield decoded(record)
      offset = next
    }
  } finally {
    await fetcher.close()
  }
}

const decoded = ({ offset, value }: { readonly offset: bigint; readonly value: Buffer }): ReadRecord => {
  const { kind, pos, at } = decodeLogRecord(value)
  const payload = kind === 'Output' || kind === 'Reference' ? payloadOf(value) : null
  return { offset, kind, pos, at, payload }
}

/** Asks until the answer is one that is wanted, over outages of Kafka; null when the bound is over. */
export const askUntil = async <T>(
  ask: () => Promise<T>,
  options: { readonly isWanted: (answer: T) => boolean; readonly withinMs: number; readonly everyMs: number },
): Promise<T | null> => {
  const end = performance.now() + options.withinMs
  while (performance.now() < end) {
    try {
      const answer = await ask()
      if (options.isWanted(answer)) return answer
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error
    }
    await delay(options.everyMs)
  }
  return null
}
