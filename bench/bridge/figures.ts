import { type Figure, lessIsBetter, moreIsBetter } from '../figure.ts'
import { median, type Quantiles } from '../statistics.ts'
import { payloadBytes } from './outputs.ts'
import { transactionMs } from './perf-tool.ts'
import type { MemoryUse } from '../process-stats.ts'
import { type Burst, windowCount } from './runs.ts'

export type Measured = {
  /** One entry a round each. */
  readonly bridge: readonly Burst[]
  readonly port: readonly Burst[]
  readonly perfTool: readonly number[]
  readonly latencyPerSecond: number
  readonly bridgeLatencies: readonly Quantiles[]
  readonly portLatencies: readonly Quantiles[]
  readonly memory: MemoryUse
}

/** What the part promises. A ratio is higher when ours is better. */
const bars = {
  rateOfPort: 0.7,
  /** At most three times the port's own p99. */
  latencyOfPort: 0.333,
  memoryMb: 250,
  /** Growth from the first to the last third of the samples: what is left is noise, not a leak. */
  flat: 0.9,
}
const aims = { rateOfPerfTool: 0.8, latencyMs: 30 }

export const figuresOf = (measured: Measured): readonly Figure[] => [
  ...rates(measured),
  ...latencies(measured),
  ...memory(measured),
]

const rates = ({ bridge, port, perfTool }: Measured): readonly Figure[] => {
  const how = `median of ${bridge.length} interleaved rounds; ${payloadBytes}-byte payloads`
  const closed = `${how}; the bridge's process fed over ZeroMQ PUB, at most ${windowCount} outputs not acknowledged, from ACK to ACK within 4 s after 1 s of warm-up`
  const ours = median(bridge.map(({ perSecond }) => perSecond))
  const fromMemory = `runtime/kafka's transactional writer in a process of its own, fed the same records from memory in the bridge's batches`
  return [
    moreIsBetter({
      name: 'outputs acknowledged, beside our Kafka port',
      ours,
      reference: median(port.map(({ perSecond }) => perSecond)),
      bar: bars.rateOfPort,
      unit: 'outputs/s',
      method: `${closed}; reference: ${fromMemory}`,
    }),
    moreIsBetter({
      name: 'outputs acknowledged, beside ProducerPerformance',
      ours,
      reference: median(perfTool),
      bar: null,
      unit: 'outputs/s',
      method: `${closed}; reference: Kafka's ProducerPerformance, ${payloadBytes}-byte records, transactions of ${transactionMs} ms, acks=all, its defaults otherwise, a new JVM each round, which warms up while it is measured; aim: ${aims.rateOfPerfTool}`,
    }),
    lessIsBetter({
      name: 'CPU per output, beside our Kafka port',
      ours: median(bridge.map(({ cpuUsPerOutput }) => cpuUsPerOutput)),
      reference: median(port.map(({ cpuUsPerOutput }) => cpuUsPerOutput)),
      bar: null,
      unit: 'µs',
      method: `${how}; all threads of the process over the whole of each closed loop, which a busy machine disturbs least; reference: ${fromMemory}`,
    }),
  ]
}

const latencies = ({ bridgeLatencies, portLatencies, latencyPerSecond }: Measured): readonly Figure[] => {
  const ours = (quantile: keyof Quantiles): number => median(bridgeLatencies.map(found => found[quantile]))
  const reference = (quantile: keyof Quantiles): number => median(portLatencies.map(found => found[quantile]))
  const method = `median of ${bridgeLatencies.length} interleaved rounds at ${latencyPerSecond} outputs/s, a quarter of the bridge's median rate, sent whatever the bridge does; from the time an output was meant to be sent to the first ACK that covers it; reference: the port at the same rate, from the meant time to the end of its commit`
  const beside = (quantile: keyof Quantiles, bar: number | null): Figure =>
    lessIsBetter({
      ...{ name: `ZeroMQ to ACK, ${quantile}`, ours: ours(quantile), reference: reference(quantile) },
      ...{ bar, unit: 'ms', method },
    })
  return [
    beside('p99', bars.latencyOfPort),
    lessIsBetter({
      name: 'ZeroMQ to ACK, p99, beside what we aim for',
      ours: ours('p99'),
      reference: aims.latencyMs,
      bar: null,
      unit: 'ms',
      method: `the same p99; reference: the aim, whatever the machine`,
    }),
    beside('p50', null),
    beside('max', null),
  ]
}

const memory = ({ memory: { maxMb, firstThirdMb, lastThirdMb } }: Measured): readonly Figure[] => {
  const sampled = `VmRSS of the bridge's process, sampled each 250 ms from the end of its warm-up to the end of the last round`
  return [
    lessIsBetter({
      ...{ name: 'resident memory, most', ours: maxMb, reference: bars.memoryMb, bar: 1, unit: 'MB' },
      method: `${sampled}; reference: the most that it may be`,
    }),
    lessIsBetter({
      ...{ name: 'resident memory, flat', ours: lastThirdMb, reference: firstThirdMb, bar: bars.flat, unit: 'MB' },
      method: `${sampled}: mean of the last third; reference: mean of the first third`,
    }),
  ]
}
