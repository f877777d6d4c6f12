import { type Figure, lessIsBetter, moreIsBetter } from '../figure.ts'
import { exchangeSize } from '../settle/exchange.ts'
import { sampleMs } from '../settle/growth.ts'
import { lookedAt } from '../settle/drain.ts'
import { median, type Quantiles } from '../statistics.ts'
import { type Freshness, type ordersPerSecond, probesPerSecond } from './freshness.ts'
import type { LongDrain } from './long-drains.ts'
import { outputsPerSecond } from './maker.ts'
import type { Round } from './rounds.ts'

export type Measured = {
  readonly rounds: readonly Round[]
  readonly memory: { readonly load: LongDrain; readonly archive: LongDrain }
  readonly freshness: Readonly<Record<keyof typeof ordersPerSecond, Freshness>>
}

/** What the part promises. A ratio is higher when ours is better. */
const bars = {
  loadOfCurl: 0.7,
  memoryMb: 300,
  /** Growth from a tenth of the records to their end: what is left is noise, not a leak. */
  flat: 0.9,
  /** On top of the flush interval. */
  freshnessMs: 1_000,
}

export const figuresOf = ({ rounds, memory, freshness }: Measured): readonly Figure[] => [
  ...rates(rounds),
  ...memoryOf('load', memory.load),
  ...memoryOf('archive', memory.archive),
  ...freshnessOf(freshness.bar, ['p99']),
  ...freshnessOf(freshness.busy, []),
]

const rates = (rounds: readonly Round[]): readonly Figure[] => {
  const trades = rounds[0]?.trades ?? 0
  const how = `median of ${rounds.length} interleaved rounds of ${trades} trades; ${exchangeSize.users} users by Zipf ${exchangeSize.zipfExponent}, three markets, fees to the house, half an order that rests beside each trade; ${exchangeSize.partitions} partitions`
  const rows = Math.round(median(rounds.map(({ load }) => load.rows)))
  const posted = Math.round(median(rounds.map(({ curl }) => curl.rows)))
  return [
    moreIsBetter({
      name: 'load, topic to visible in StarRocks, beside curl',
      ours: median(rounds.map(({ load }) => load.rows / load.seconds)),
      reference: median(rounds.map(({ curl }) => curl.rows / curl.seconds)),
      bar: bars.loadOfCurl,
      unit: 'rows/s',
      method: `${how}; the process with its default settings draining user.outputs into the stand-in of StarRocks, ${rows} rows, the same process in all rounds, which stands still while the others are measured, after two rounds that are not; from the last look that saw nothing taken to the first that saw all of it visible and committed, ${lookedAt}; reference: one run of curl that posts the bodies which load's own code makes of the same records, ${posted} rows, in batches as large, prepared in files, not compressed as load's are not, as many at once as load has under way, into the same tables of another database of the same stand-in, from its start to its end; neither database has its views, which the stand-in would rebuild in the middle; in the end both hold equal rows`,
    }),
    moreIsBetter({
      name: 'archive, topics to final CSV, beside cp',
      ours: median(rounds.map(({ archive }) => archive.mbPerSecond)),
      reference: median(rounds.map(({ cpMbPerSecond }) => cpMbPerSecond)),
      bar: null,
      unit: 'MB/s',
      method: `${how}; the process draining engine.outputs and user.outputs into windows of a minute filled at ${outputsPerSecond} outputs/s, just started, from the last look that saw no record taken to the first that saw every window final and committed; each file is fsynced, as is its folder; bytes of the CSV files alone; reference: cp -r of the whole folder, which syncs nothing`,
    }),
  ]
}

const memoryOf = (name: string, { rows, memory }: LongDrain): readonly Figure[] => {
  const sampled = `VmRSS of one process of ${name} with its default settings draining ${rows} rows at once, sampled each ${sampleMs} ms`
  return [
    lessIsBetter({
      ...{ name: `resident memory of ${name}, most`, ours: memory.maxMb, reference: bars.memoryMb, bar: 1, unit: 'MB' },
      method: `${sampled}; reference: the most that it may be`,
    }),
    lessIsBetter({
      ...{ name: `resident memory of ${name}, flat`, ours: memory.atEndMb, reference: memory.atTenthMb },
      ...{ bar: bars.flat, unit: 'MB' },
      method: `${sampled}: mean over the last tenth of the records; reference: mean from 5 to 15 % of them`,
    }),
  ]
}

const freshnessOf = (
  { ordersPerSecond: perSecond, seconds, flushMs, probes, ms }: Freshness,
  barred: readonly (keyof Quantiles)[],
): readonly Figure[] => {
  const bound = flushMs + bars.freshnessMs
  const method = `${seconds} s at ${perSecond} orders/s with repartition, load and archive running; from the time at which an order was meant to be written to engine.outputs to the first look that sees every row of it, in all six tables, through the MySQL door, for ${probes} orders, ${probesPerSecond} a second, looked for every 100 ms; FLUSH_MS is ${flushMs}; reference: FLUSH_MS and ${bars.freshnessMs} ms`
  const beside = (quantile: keyof Quantiles): Figure =>
    lessIsBetter({
      ...{ name: `log to visible in StarRocks at ${perSecond} orders/s, ${quantile}`, ours: ms[quantile] },
      ...{ reference: bound, bar: barred.includes(quantile) ? 1 : null, unit: 'ms', method },
    })
  return [beside('p99'), beside('p50'), beside('max')]
}
