import { join } from 'node:path'
import type { ServiceName } from '../../sim/pipeline/services.ts'
import { BenchService } from '../settle/service.ts'
import type { SinkStack, SinkStream } from './stream.ts'
import { type Quantiles, quantilesOf } from '../statistics.ts'
import { Worker } from '../worker.ts'
import type { LiveAnswer, LiveQuestion } from './live/main.ts'

/** The bar holds at the first; at the second two cores are busy to the last with the servers, the services and the look. */
export const ordersPerSecond = { bar: 250, busy: 500 } as const
export const probesPerSecond = 25
const fullSeconds = 60
/** The processes compile themselves first, Kafka the longest of all. */
const warmUpSeconds = { first: 60, next: 10 } as const
const withinMs = 300_000
/** What stands between the log and StarRocks, and the archive beside it. */
const services: readonly ServiceName[] = ['repartition', 'load', 'archive']

export type Freshness = {
  readonly ordersPerSecond: number
  readonly seconds: number
  readonly flushMs: number
  readonly probes: number
  readonly ms: Quantiles
}

/** From an output's time in the log to all its rows in StarRocks, while orders come at their rate. */
export const measureFreshness = async (
  stream: SinkStream,
  { stack, scale, say }: { readonly stack: SinkStack; readonly scale: number; readonly say: (line: string) => void },
): Promise<Readonly<Record<keyof typeof ordersPerSecond, Freshness>>> => {
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
  const paced = async (perSecond: number, warmUp: number): Promise<Freshness> => {
    const pace = { count: (warmUp + seconds) * perSecond, perSecond }
    const { latenciesMs } = await feed({ kind: 'pace', outputsPerProbe: perSecond / probesPerSecond, ...pace })
    const measured = latenciesMs.slice(warmUp * probesPerSecond)
    const ms = quantilesOf(Float64Array.from(measured))
    say(`freshness at ${perSecond} orders/s: p50 ${Math.round(ms.p50)}, p99 ${Math.round(ms.p99)} ms`)
    return { ordersPerSecond: perSecond, seconds, flushMs: place.intervals.flushMs, probes: measured.length, ms }
  }
  const bar = await paced(ordersPerSecond.bar, warmUpSeconds.first)
  const busy = await paced(ordersPerSecond.busy, warmUpSeconds.next)
  for (const service of running) await service.stop()
  return { bar, busy }
}
