import { join } from 'node:path'
import { type Figure, lessIsBetter, moreIsBetter } from '../figure.ts'
import type { Part } from '../part.ts'
import { Worker } from '../worker.ts'
import { checkBalances } from './check-balances.ts'
import { drainByRepartition } from './drain.ts'
import { type MemoryAlong, MemoryOfDrain, sampleMs } from './growth.ts'
import type { MakerAnswer, MakerQuestion } from './maker/questions.ts'
import { startSettleLife } from './settle-life.ts'
import { openStream } from './stream.ts'

const few = 100_000
const many = 1_000_000
const drainWithinMs = 3_600_000

/** What the part promises. A ratio is higher when ours is better. */
const bars = {
  memoryMb: 300,
  /** Growth from a tenth of the records to their end: what is left is noise, not a leak. */
  flat: 0.9,
  /** The store merges more the more it holds; the rest must be the same for the last trade as for the first. */
  linear: 0.8,
}

/** settle on 100,000 trades, and on 1,000,000: does it get slower, does it grow? Minutes, so it is run once. */
export const millionPart: Part = {
  name: 'settle-million',
  servers: ['kafka', 'cassandra', 'starrocks'],
  sizes: 'one',
  async run({ stack, say }) {
    await using stream = await openStream(stack, `bench_million_${Date.now().toString(36)}`)
    const { kafka, names, place, brokers } = stream
    const maker = await Worker.start<object, MakerQuestion, MakerAnswer>(join(import.meta.dirname, 'maker/main.ts'), [
      ...[brokers.join(','), names.topics.log],
    ])
    await using ending = new AsyncDisposableStack()
    ending.defer(() => maker.stop())
    const settle = await startSettleLife(place, stream)
    ending.defer(() => settle.kill())
    const within = { withinMs: drainWithinMs }
    const drain = async (question: MakerQuestion) => {
      const { lastPos } = await maker.ask(question, within)
      const { ends } = await drainByRepartition(place, { kafka, names, lastPos, ...within })
      const memory = new MemoryOfDrain()
      const settled = await settle.drain(ends, { onlooker: memory, ...within })
      return { ...settled, memory }
    }
    say('funding the users')
    await drain({ kind: 'open' })
    const drainTrades = async (trades: number) => {
      const { seconds, records, memory } = await drain({ kind: 'trade', trades })
      say(`${trades} trades: ${Math.round(trades / seconds)} a second`)
      return { perSecond: trades / seconds, records, memory }
    }
    const first = await drainTrades(few)
    const second = await drainTrades(many)
    await settle.stop()
    await checkBalances(stream, maker)
    return figuresOfGrowth({
      few: first.perSecond,
      many: second.perSecond,
      memory: second.memory.along(second.records),
    })
  },
}

/** `few` and `many`: trades a second. */
export const figuresOfGrowth = (measured: {
  readonly few: number
  readonly many: number
  readonly memory: MemoryAlong
}): readonly Figure[] => {
  const drained = 'one process of settle with its default settings draining'
  const sampled = `VmRSS of ${drained} ${many} trades, sampled each ${sampleMs} ms`
  return [
    moreIsBetter({
      name: `rate over ${many} trades, beside ${few}`,
      ours: measured.many,
      reference: measured.few,
      bar: bars.linear,
      unit: 'trades/s',
      method: `${drained} ${many} trades at once after the first ${few}; reference: those first; 1 is linear growth of time`,
    }),
    lessIsBetter({
      ...{ name: 'resident memory, most', ours: measured.memory.maxMb, reference: bars.memoryMb, bar: 1, unit: 'MB' },
      method: `${sampled}; reference: the most that it may be`,
    }),
    lessIsBetter({
      ...{ name: 'resident memory, flat', ours: measured.memory.atEndMb, reference: measured.memory.atTenthMb },
      ...{ bar: bars.flat, unit: 'MB' },
      method: `${sampled}: mean over the last tenth of the records; reference: mean from 5 to 15 % of them, about ${few} trades`,
    }),
  ]
}
