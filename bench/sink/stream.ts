import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import { namesOf } from '../../runtime/names.ts'
import { makeKafkaPlaces } from '../kafka-places.ts'
import { exchangeSize } from '../settle/exchange.ts'
import { openBenchKafka } from '../settle/places.ts'
import type { BenchStream } from '../settle/stream.ts'
import { makeDatabase } from './places.ts'

export type SinkStack = Stack<'kafka' | 'starrocks'>
export type SinkStream = Omit<BenchStream, 'store' | 'cql'>

/** A new stream as `settle init` makes it, without a store: nobody settles here, and none shall take the machine's time. */
export const openSinkStream = async (stack: SinkStack, stream: string): Promise<SinkStream> => {
  const { brokers } = stack.kafka
  const names = namesOf(stream)
  await makeKafkaPlaces(brokers, [names], { partitions: exchangeSize.partitions })
  await makeDatabase(stack.starrocks, names.database)
  const archiveDir = join(stack.dataDir, 'archive', stream)
  await mkdir(archiveDir, { recursive: true })
  const kafka = openBenchKafka(brokers)
  return {
    names,
    place: {
      stream,
      servers: serviceEnvironment(stack),
      archiveDir,
      intervals: {
        ...{ tickMs: 60_000, barrierMs: 1_000, windowMs: 60_000, flushMs: 1_000 },
        // Settle's, which does not run.
        ...{ storeSyncMs: 10_000, storeSyncMarginMs: 250 },
      },
    },
    brokers,
    kafka,
    [Symbol.asyncDispose]: () => kafka.close(),
  }
}
