import { join } from 'node:path'
import type { ServiceName } from '../../sim/pipeline/services.ts'
import { BenchService } from '../settle/service.ts'
import type { SinkStack, SinkStream } from './stream.ts'
import { type Quantiles, quantilesOf } from '../statistics.ts'
import { Worker } from '../worker.ts'
import type { LiveAnswer, LiveQuestion } from './live/main.ts'

export const ordersPerSecond = 500
export const probesPerSecond = 20
const outputsPerProbe = ordersPerSecond / probesPerSecond
const fullSeconds = 60
/** The processes compile themselves first, Kafka the longest of all. */
const warmUpSeconds = 60
const withinMs = 300_000
/** What stands between the log and StarRocks, and the archive beside it. */
const services: readonly ServiceName[] = ['repartition', 'load', 'archive']

export type Freshness = {
  readonly seconds: number
  readonly flushMs: number
  readonly probes: number
  readonly ms: Quantiles
}

/** From an output's time in the log to all its rows in StarRocks, while orders come at their rate. */
export const measureFreshness = async (
  stream: SinkStream,
  { stack, scale, say }: { readonly stack: SinkStack; readonly scale: number; readonly say: (line: string) => void },
): Promise<Freshness> => {
  const { names, brokers, place } = stream
  await using ending = new AsyncDisposableStack()
  const feeder = await Worker.start<object, LiveQuestion, LiveAnswer>(join(import.meta.dirname, 'live/main.ts'), [
    ...[brokers.join(','), names.topics.log, JSON.stringify(stack.starrocks), names.database],
  ])
  ending.defer(() => feeder.stop())
  const running = await Promise.all(
    services.map(async name => {
      const service = await BenchService.start(name, place)
      ending.defer(() => service.kill())
      return service
    }),
  )
  const died = Promise.race(running.map(service => service.died()))
  // Whoever waits for the feeder hears of it; at the end they are asked to stop.
  died.catch(() => {})
  const feed = (question: LiveQuestion) => Promise.race([feeder.ask(question, { withinMs }), died])

  say('funding the users through repartition and load')
  await feed({ kind: 'open' })
  const seconds = Math.ceil(fullSeconds * scale)
  const pace = { count: (warmUpSeconds + seconds) * ordersPerSecond, perSecond: ordersPerSecond }
  const { latenciesMs } = await feed({ kind: 'pace', outputsPerProbe, ...pace })
  const ms = quantilesOf(Float64Array.from(latenciesMs.slice(warmUpSeconds * probesPerSecond)))
  say(`freshness at ${ordersPerSecond} orders/s: p50 ${Math.round(ms.p50)}, p99 ${Math.round(ms.p99)} ms`)
  for (const service of running) await service.stop()
  return {
    seconds,
    flushMs: place.intervals.flushMs,
    probes: latenciesMs.length - warmUpSeconds * probesPerSecond,
    ms,
  }
}
