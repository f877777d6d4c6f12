import { type Figure, lessIsBetter, moreIsBetter } from '../figure.ts'
import { median, type Quantiles } from '../statistics.ts'
import { exchangeSize } from './exchange.ts'
import { lookedAt } from './drain.ts'
import { ordersPerSecond, type LatencyRound, paceSeconds, probesPerSecond } from './latency.ts'
import { inFlight } from './places.ts'
import { lookEveryMs } from './prober.ts'
import { manyInFlight, type Round, settleRate } from './throughput.ts'

export type Measured = {
  readonly rounds: readonly Round[]
  readonly latencies: readonly LatencyRound[]
  /** How the store was for whoever has many requests under way. */
  readonly store: string
}

/** What the part promises. A ratio is higher when ours is better. */
const bars = {
  ofBareStore: 0.6,
  ofOneByOne: 25,
  ofMany: 3,
  repartitionOfSettle: 3,
  /** At most four times the bare chain's own p99. */
  latencyOfChain: 0.25,
}
const aims = { ofOneByOne: 50, ofMany: 8, rowsPerTrade: 10, latencyMs: 200 }

export const figuresOf = ({ rounds, latencies, store }: Measured): readonly Figure[] => [
  ...rates(rounds, store),
  ...economy(rounds),
  ...latency(latencies, store),
]

const workload = (rounds: readonly Round[]): string =>
  `median of ${rounds.length} interleaved rounds of ${rounds[0]?.trades ?? 0} trades; ${exchangeSize.users} users by Zipf ${exchangeSize.zipfExponent}, three markets, fees to the house, half an order that rests beside each trade; each begins when the store has compacted what came before`
const settled = `the process with its default settings draining user.outputs of ${exchangeSize.partitions} partitions, history and all, the same process in all rounds, as those beside it are, which stands still while they are measured; from the last look that saw nothing taken to its last acknowledged row, ${lookedAt}; the hold of STORE_SYNC_MS before the commits that follow is no part of it`

const rates = (rounds: readonly Round[], store: string): readonly Figure[] => {
  const ours = median(rounds.map(settleRate))
  const how = `${workload(rounds)}; for settle and the bare store ${store}, for the replaced design it is woken at once, which suits it best; settle: ${settled}`
  const replaced =
    "the replaced design on the same trades: insert of the trade, then four times read and lightweight transaction one after another, prepared, settle's driver and consistency; no history, no orders, no house"
  const beside = (compared: { name: string; reference: number; bar: number; of: string }): Figure =>
    moreIsBetter({
      name: compared.name,
      ours,
      reference: compared.reference,
      bar: compared.bar,
      unit: 'trades/s',
      method: `${how}; reference: ${compared.of}`,
    })
  return [
    beside({
      name: 'settle, beside the bare store',
      reference: median(rounds.map(({ trades, bare }) => trades / bare.seconds)),
      bar: bars.ofBareStore,
      of: `the statements of the same records, folded before in batches as large, from memory through the same port into the same tables of another keyspace, ${inFlight} requests at once: no Kafka, no fold, no order between history and cells`,
    }),
    beside({
      name: 'settle, beside the replaced design one by one',
      reference: median(rounds.map(({ oneByOne }) => oneByOne.perSecond)),
      bar: bars.ofOneByOne,
      of: `${replaced}; one trade after another; aim: ${aims.ofOneByOne}`,
    }),
    beside({
      name: `settle, beside the replaced design ${manyInFlight} at once`,
      reference: median(rounds.map(({ many }) => many.perSecond)),
      bar: bars.ofMany,
      of: `${replaced}; ${manyInFlight} trades at once, a transaction that lost its race again after a short random pause; aim: ${aims.ofMany}`,
    }),
    moreIsBetter({
      name: 'repartition, beside settle',
      ours: median(rounds.map(({ trades, repartition }) => trades / repartition.seconds)),
      reference: ours,
      bar: bars.repartitionOfSettle,
      unit: 'trades/s',
      method: `${workload(rounds)}; the process draining engine.outputs into user.outputs, the same in all rounds, from the last look that saw nothing committed to the commit of the last record; reference: settle, ${settled}`,
    }),
  ]
}

const economy = (rounds: readonly Round[]): readonly Figure[] => {
  const perTrade = (count: (round: Round) => number): number => median(rounds.map(each => count(each) / each.trades))
  const written = perTrade(({ settle }) => settle.rows).toFixed(1)
  return [
    lessIsBetter({
      name: 'rows per trade',
      ours: perTrade(({ bare }) => bare.statements),
      reference: aims.rowsPerTrade,
      bar: null,
      unit: 'rows',
      method: `${workload(rounds)}; every row that settle's fold makes of a round in batches of its size: history of buyer, seller, house and resting orders, orders, trades, balances, barriers. The process writes ${written} rows per trade by its metrics, with each cell that it loads again; reference: the aim`,
    }),
    lessIsBetter({
      name: 'requests per trade',
      ours: perTrade(({ bare }) => bare.groups),
      reference: perTrade(({ bare }) => bare.statements),
      bar: null,
      unit: 'requests',
      method: `${workload(rounds)}; groups of statements of one partition key, as settle's fold makes them in batches of its size; reference: statements, as if each were a request`,
    }),
    lessIsBetter({
      name: 'CPU of settle per trade, beside the bare store',
      ours: perTrade(({ settle }) => settle.cpuUs),
      reference: perTrade(({ bare }) => bare.cpuUs),
      bar: null,
      unit: 'µs',
      method: `${workload(rounds)}; all threads of settle's process while it drains, which a busy machine disturbs least; reference: the process that plays the same statements from memory`,
    }),
  ]
}

const latency = (latencies: readonly LatencyRound[], store: string): readonly Figure[] => {
  const ours = (quantile: keyof Quantiles): number => median(latencies.map(({ pipeline }) => pipeline[quantile]))
  const reference = (quantile: keyof Quantiles): number => median(latencies.map(({ chain }) => chain[quantile]))
  const method = `median of ${latencies.length} interleaved rounds of ${paceSeconds} s at ${ordersPerSecond} orders/s, all five services running, load, archive and StarRocks' stand-in at nice 10, for both ${store}; from the engine's time of an output, which is when it was meant to be sent, to the first read at LOCAL_QUORUM that sees it in a balance, for ${probesPerSecond} deposits a second to users of every partition, each looked for every ${lookEveryMs} ms; reference: a bare chain at the same rate, looked at in the same way: the same records written to two topics in transactions, consumed, and the same rows written at LOCAL_QUORUM, history before cells, by the same ports in one process without the services' logic`
  const beside = (quantile: keyof Quantiles, bar: number | null): Figure =>
    lessIsBetter({
      ...{ name: `engine to visible in the store, ${quantile}`, ours: ours(quantile), reference: reference(quantile) },
      ...{ bar, unit: 'ms', method },
    })
  return [
    beside('p99', bars.latencyOfChain),
    lessIsBetter({
      name: 'engine to visible in the store, p99, beside what we aim for',
      ours: ours('p99'),
      reference: aims.latencyMs,
      bar: null,
      unit: 'ms',
      method: 'the same p99; reference: the aim, whatever the machine',
    }),
    beside('p50', null),
    beside('max', null),
  ]
}
