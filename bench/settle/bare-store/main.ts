import type { CqlStatement } from '../../../runtime/cql/port.ts'
import { decodeUserRecord } from '../../../schemas/codec.ts'
import { cpuUs } from '../../process-stats.ts'
import { serveParent } from '../../worker.ts'
import { exchangeSize } from '../exchange.ts'
import { FoldAlone } from '../../../processor/settle/testing/fold-alone.ts'
import { inFlight, openBenchCql, openBenchKafka, type StoreAddress } from '../places.ts'

export type BareQuestion =
  /** Reads what `user.outputs` has gained and folds it; `keep`: into statements to be played. */
  { readonly kind: 'fold'; readonly keep: boolean } | { readonly kind: 'play' }
export type BareAnswer = {
  readonly seconds: number
  readonly statements: number
  /** Groups of statements, each of one partition key: one request, or several when it is large. */
  readonly groups: number
  readonly cpuUs: number
}

const [, , brokers = '', address = '', keyspace = '', topic = '', batchRecords = ''] = process.argv
const kafka = openBenchKafka(brokers.split(','))
const fetcher = kafka.openFetcher()
const cql = await openBenchCql(JSON.parse(address) as StoreAddress, keyspace)
const partitions = Array.from({ length: exchangeSize.partitions }, (_, partition) => ({
  partition,
  fold: new FoldAlone({ partition }),
  next: 0n,
}))
let kept: (readonly CqlStatement[])[] = []

/** One partition up to its end, in batches as large as settle's. */
const fold = async (part: (typeof partitions)[number], end: bigint, keep: boolean): Promise<void> => {
  while (part.next < end) {
    const { records, next } = await fetcher.read({ topic, partition: part.partition, offset: part.next })
    part.next = next
    for (let from = 0; from < records.length; from += Number(batchRecords)) {
      const batch = records.slice(from, from + Number(batchRecords))
      const { history, cells } = part.fold.take(batch.map(({ value }) => decodeUserRecord(value)))
      // The values themselves: what is played must not have to be made first.
      if (keep) kept.push(...[...history, ...cells].map(group => group.map(({ cql, params }) => ({ cql, params }))))
    }
  }
}

const play = async (): Promise<void> => {
  const groups = kept
  kept = []
  let at = 0
  const one = async (): Promise<void> => {
    for (;;) {
      const group = groups[at]
      if (!group) return
      // What was played is garbage, as it is for settle.
      groups[at++] = []
      await cql.write(group)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one))
}

const run = async (question: BareQuestion): Promise<void> => {
  if (question.kind === 'play') return play()
  const bounds = await kafka.bounds(topic)
  await Promise.all(partitions.map(part => fold(part, bounds.get(part.partition)?.end ?? 0n, question.keep)))
}

serveParent({}, async (question: BareQuestion): Promise<BareAnswer> => {
  const statements = kept.reduce((sum, group) => sum + group.length, 0)
  const groups = kept.length
  const before = cpuUs(process.pid)
  const startMs = performance.now()
  await run(question)
  return {
    seconds: (performance.now() - startMs) / 1000,
    cpuUs: cpuUs(process.pid) - before,
    statements,
    groups,
  }
})
