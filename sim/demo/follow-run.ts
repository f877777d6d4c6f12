import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { ServiceName } from '../pipeline/services.ts'
import type { Bars, Stage } from './bars.ts'

const everyMs = 250
/** Nothing moves for so long while something is left to do: the run is stuck. */
const stuckMs = 60_000

type Metrics = ReadonlyMap<string, number>

type Counts = {
  readonly orders: number
  readonly ordersTotal: number | null
  readonly engineOutputs: number
  readonly isEngineDone: boolean
  /** Offsets of the log: how many are taken by repartition, how many there are. */
  readonly logTaken: number
  readonly logEnd: number
  readonly logged: number
  readonly split: number
  readonly settled: number
  readonly loaded: number
  readonly archived: number
}

/**
 * Shows the run until everything that the engine said has gone through every stage.
 * @throws Error when nothing has moved for a minute
 */
export const followRun = async (options: {
  readonly pipeline: Pipeline
  readonly kafka: KafkaPort
  readonly names: StreamNames
  readonly bars: Bars
}): Promise<void> => {
  const { bars } = options
  const known = new Map<ServiceName, Metrics>()
  let last = ''
  let movedAtMs = performance.now()
  /** Records of user.outputs when the last of the log was split; barriers go on after it for ever. */
  let target: number | null = null
  try {
    for (;;) {
      const counts = await count({ ...options, known })
      const isSplit =
        counts.isEngineDone && counts.logged >= counts.engineOutputs && counts.logTaken >= counts.logEnd - 2
      if (isSplit) target ??= counts.split
      bars.show(stagesOf(counts, target))
      if (target !== null && isThrough(counts, target)) return
      const now = JSON.stringify([counts.orders, counts.logged, Math.min(counts.settled, target ?? Infinity)])
      if (now !== last) movedAtMs = performance.now()
      last = now
      if (performance.now() - movedAtMs > stuckMs)
        throw new Error(`nothing has moved for ${stuckMs / 1000} s: ${JSON.stringify(counts)}`)
      await delay(everyMs)
    }
  } finally {
    bars.end()
  }
}

const count = async ({
  pipeline,
  kafka,
  names,
  known,
}: {
  readonly pipeline: Pipeline
  readonly kafka: KafkaPort
  readonly names: StreamNames
  /** The last answer of each. */
  readonly known: Map<ServiceName, Metrics>
}): Promise<Counts> => {
  const ask = async (name: ServiceName): Promise<Metrics> => {
    const answer = await pipeline.metrics(name)
    // One that is too busy to answer has not gone back to nothing.
    if (answer.size > 0) known.set(name, answer)
    return known.get(name) ?? answer
  }
  const [bounds, bridge, repartition, settle, load, archive] = await Promise.all([
    kafka.bounds(names.topics.log),
    ask('bridge'),
    ask('repartition'),
    ask('settle'),
    ask('load'),
    ask('archive'),
  ])
  const { orders, outputs, of, isDone } = pipeline.engine.progress
  const logged = bridge.get('settle_bridge_records_total') ?? 0
  return {
    orders,
    ordersTotal: isDone ? orders : of,
    engineOutputs: outputs,
    isEngineDone: isDone,
    logTaken: (repartition.get('settle_repartition_src') ?? -1) + 1,
    logEnd: Number(bounds.get(0)?.end ?? 0n),
    logged,
    split: repartition.get('settle_repartition_records_total') ?? 0,
    settled: settle.get('settle_settle_records_total') ?? 0,
    loaded: load.get('settle_load_records_total') ?? 0,
    archived: Math.max(0, (archive.get('settle_archive_records_total') ?? 0) - logged),
  }
}

const isThrough = ({ settled, loaded, archived }: Counts, target: number): boolean =>
  settled >= target && loaded >= target && archived >= target

const stagesOf = (counts: Counts, target: number | null): readonly Stage[] => {
  const records = target ?? counts.split
  const upTo = (value: number): number => Math.min(value, records)
  return [
    { name: 'orders', value: counts.orders, total: counts.ordersTotal },
    { name: 'engine.outputs', value: Math.min(counts.logged, counts.engineOutputs), total: counts.engineOutputs },
    // The log's last offset is a transaction's end, which nobody takes.
    { name: 'user.outputs', value: target === null ? counts.logTaken : counts.logEnd, total: counts.logEnd },
    { name: 'settled', value: upTo(counts.settled), total: records },
    { name: 'loaded', value: upTo(counts.loaded), total: records },
    { name: 'archived', value: upTo(counts.archived), total: records },
  ]
}
