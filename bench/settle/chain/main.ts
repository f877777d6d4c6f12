import type { CqlStatement } from '../../../runtime/cql/port.ts'
import { serveParent } from '../../worker.ts'
import { Exchange, exchangeSize } from '../exchange.ts'
import { dueMsOf, keepPace, leadMs, type Pace, timeUsOf } from '../pace.ts'
import { PacedOrders, type Probe } from '../paced-orders.ts'
import { openBenchCql, openBenchKafka, type StoreAddress } from '../places.ts'
import { Prober } from '../prober.ts'
import { type Share, type Step, StepMaker } from './steps.ts'

export type ChainAnswer = { readonly latenciesMs: readonly number[] }

const [, , brokers = '', address = '', keyspace = '', firstTopic = '', secondTopic = ''] = process.argv
const store = JSON.parse(address) as StoreAddress

const kafka = openBenchKafka(brokers.split(','))
const first = await kafka.openTxWriter({ transactionalId: `${firstTopic}.bench` })
const second = await kafka.openTxWriter({ transactionalId: `${secondTopic}.bench` })
const fetcher = kafka.openFetcher()
const cql = await openBenchCql(store, keyspace)
// Looks by connections of its own, as the one beside the services does.
const eyes = await openBenchCql(store, keyspace)

const exchange = new Exchange({ seed: 2n })
const orders = new PacedOrders(exchange)
const maker = new StepMaker()
for (const output of exchange.opening(() => timeUsOf(performance.now()))) maker.make(output)

let steps: Step[] = []
/** Of the steps that stand in the second topic, by partition, those not yet written to the store. */
const shares = Array.from({ length: exchangeSize.partitions }, (): Share[] => [])
/** Where each consumer is; runs follow one another on the same topics. */
let firstNext = 0n
const secondNext = shares.map(() => 0n)

const produce = (from: number, to: number): Promise<void> =>
  first.commitBatch({
    records: steps.slice(from, to).map(({ value, timestampMs }) => {
      return { topic: firstTopic, partition: 0, key: null, value, timestampMs }
    }),
  })

/** From the first topic to the second: whatever came at once is one transaction. */
const relay = async (): Promise<void> => {
  for (let done = 0; done < steps.length; ) {
    const { records, next } = await fetcher.read({ topic: firstTopic, partition: 0, offset: firstNext })
    firstNext = next
    const batch = steps.slice(done, done + records.length)
    done += batch.length
    for (const share of batch.flatMap(step => step.shares)) shares[share.partition]?.push(share)
    if (batch.length === 0) continue
    await second.commitBatch({
      records: batch.flatMap(({ timestampMs, shares }) =>
        shares.map(({ partition, value }) => ({ topic: secondTopic, partition, key: null, value, timestampMs })),
      ),
    })
  }
}

const writeAll = async (groups: readonly (readonly CqlStatement[])[]): Promise<void> =>
  void (await Promise.all(groups.map(group => cql.write(group))))

/** From one partition of the second topic to the store, until so many were written. */
const storePartition = async (partition: number, count: number): Promise<void> => {
  for (let done = 0; done < count; ) {
    const offset = secondNext[partition] ?? 0n
    const { records, next } = await fetcher.read({ topic: secondTopic, partition, offset })
    secondNext[partition] = next
    const batch = shares[partition]?.splice(0, records.length) ?? []
    await writeAll(batch.flatMap(({ history }) => history))
    await writeAll(batch.flatMap(({ cells }) => cells))
    done += batch.length
  }
}

const run = async (pace: Pace): Promise<readonly number[]> => {
  const startMs = performance.now() + leadMs
  const probes: (Probe | null)[] = []
  steps = Array.from({ length: pace.count }, (_, index) => {
    const { output, probe } = orders.make(index, timeUsOf(dueMsOf(startMs, index, pace)))
    probes.push(probe)
    return maker.make(output)
  })
  const counts = shares.map(() => 0)
  for (const { partition } of steps.flatMap(step => step.shares)) counts[partition] = (counts[partition] ?? 0) + 1
  const prober = new Prober(eyes, new AbortController().signal)
  const sending = keepPace(startMs, pace, async (from, to) => {
    for (let index = from; index < to; index++) {
      const probe = probes[index]
      if (probe) prober.expect(probe, dueMsOf(startMs, index, pace))
    }
    await produce(from, to)
  })
  await Promise.all([sending, relay(), ...counts.map((count, partition) => storePartition(partition, count))])
  return prober.seen()
}

serveParent({}, async (pace: Pace): Promise<ChainAnswer> => ({ latenciesMs: await run(pace) }))
