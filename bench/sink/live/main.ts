import type { Stack } from '../../../local/stack.ts'
import type { EngineOutput } from '../../../core/events.ts'
import { Exchange } from '../../settle/exchange.ts'
import { LogMaker } from '../../settle/log-maker.ts'
import { dueMsOf, keepPace, leadMs, type Pace, timeUsOf } from '../../settle/pace.ts'
import { openBenchKafka } from '../../settle/places.ts'
import { serveParent } from '../../worker.ts'
import { Looker } from '../looker.ts'
import { openBenchSql } from '../places.ts'

export type LiveQuestion =
  /** Writes reference data and deposits, and waits until the last of them is in StarRocks. */
  | { readonly kind: 'open' }
  /** Orders at their times; one in `outputsPerProbe` is looked for. */
  | ({ readonly kind: 'pace'; readonly outputsPerProbe: number } & Pace)
/** `latenciesMs`: of those that were looked for, as they were seen. */
export type LiveAnswer = { readonly latenciesMs: readonly number[] }

const [, , brokers = '', topic = '', starrocks = '', database = ''] = process.argv
const batchCount = 2_000

const writer = await openBenchKafka(brokers.split(',')).openTxWriter({ transactionalId: `${topic}.bench` })
const sql = openBenchSql(JSON.parse(starrocks) as Stack<'starrocks'>['starrocks'], database)
const exchange = new Exchange({ seed: 3n })
const log = new LogMaker()

/** Stamps outputs now, as the bridge does, and writes them in one transaction. */
const write = async (outputs: readonly EngineOutput[]): Promise<readonly bigint[]> => {
  const records = outputs.map(output => {
    const pos = log.nextPos()
    return { topic, partition: 0, key: null, value: log.make(output).value, timestampMs: pos / 1000n, pos }
  })
  await writer.commitBatch({ records })
  return records.map(({ pos }) => pos)
}

const open = async (): Promise<readonly number[]> => {
  const outputs = [...exchange.opening(() => timeUsOf(performance.now()))]
  const looker = new Looker(sql)
  for (let from = 0; from < outputs.length; from += batchCount) {
    const batch = outputs.slice(from, from + batchCount)
    const last = (await write(batch)).at(-1)
    const output = batch.at(-1)
    if (last !== undefined && output) looker.expect(last, output, performance.now())
  }
  return looker.seen()
}

const paced = async ({
  outputsPerProbe,
  ...pace
}: Extract<LiveQuestion, { kind: 'pace' }>): Promise<readonly number[]> => {
  const startMs = performance.now() + leadMs
  const dueMs = (index: number): number => dueMsOf(startMs, index, pace)
  const outputs = Array.from({ length: pace.count }, (_, index) => exchange.order(timeUsOf(dueMs(index))))
  const looker = new Looker(sql)
  await keepPace(startMs, pace, async (from, to) => {
    const written = await write(outputs.slice(from, to))
    for (const [at, pos] of written.entries()) {
      const index = from + at
      const output = outputs[index]
      if (output && index % outputsPerProbe === 0) looker.expect(pos, output, dueMs(index))
    }
  })
  return looker.seen()
}

serveParent(
  {},
  async (question: LiveQuestion): Promise<LiveAnswer> => ({
    latenciesMs: question.kind === 'open' ? await open() : await paced(question),
  }),
)
