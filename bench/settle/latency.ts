import { join } from 'node:path'
import type { Stack } from '../../local/stack.ts'
import { yieldToOthers } from '../background.ts'
import { quantilesOf, type Quantiles } from '../statistics.ts'
import { serviceNames } from '../../sim/pipeline/services.ts'
import { Worker } from '../worker.ts'
import type { ChainAnswer } from './chain/main.ts'
import type { LiveAnswer, LiveQuestion, LiveReady } from './live/main.ts'
import type { Pace } from './pace.ts'
import { outputsPerSecond, probesPerSecond } from './paced-orders.ts'
import { BenchService } from './service.ts'
import type { BenchStream } from './stream.ts'

export { ordersPerSecond, probesPerSecond } from './paced-orders.ts'

const rounds = 5
export const paceSeconds = 8
const warmUpSeconds = 2
/** Before the first round, at the same pace. */
const compileSeconds = 40
const openWithinMs = 180_000
const runWithinMs = 120_000

export type LatencyRound = { readonly pipeline: Quantiles; readonly chain: Quantiles }

/** From the engine to the store with every service running, beside a chain that only moves the same bytes. */
export const measureLatency = async (
  live: BenchStream,
  bare: BenchStream,
  { servers }: Pick<Stack, 'servers'>,
  say: (line: string) => void,
): Promise<readonly LatencyRound[]> => {
  await using ending = new AsyncDisposableStack()
  const feeder = await Worker.start<LiveReady, LiveQuestion, LiveAnswer>(join(import.meta.dirname, 'live/main.ts'), [
    JSON.stringify(live.store),
    live.names.keyspace,
  ])
  ending.defer(() => feeder.stop())
  const services = await Promise.all(
    serviceNames.map(async name => {
      const service = await BenchService.start(name, live.place, feeder.ready)
      ending.defer(() => service.kill())
      return service
    }),
  )
  // As docs/services.md says for a machine that they share with settle: views may lag, balances may not.
  const background = [
    ...services.filter(({ name }) => name === 'load' || name === 'archive').map(({ pid }) => pid),
    ...servers.flatMap(({ server, process }) => (server === 'starrocks' && process ? [process.pid] : [])),
  ]
  background.forEach(yieldToOthers)
  const died = Promise.race(services.map(service => service.died()))
  // Whoever waits for the feeder hears of it; at the end they are asked to stop.
  died.catch(() => {})
  const feed = (question: LiveQuestion, withinMs: number) => Promise.race([feeder.ask(question, { withinMs }), died])
  const chain = await Worker.start<object, Pace, ChainAnswer>(join(import.meta.dirname, 'chain/main.ts'), [
    ...[bare.brokers.join(','), JSON.stringify(bare.store), bare.names.keyspace],
    ...[bare.names.topics.log, bare.names.topics.users],
  ])
  ending.defer(() => chain.stop())

  say('funding the users through all services')
  await feed({ kind: 'open' }, openWithinMs)
  const pace = { count: (paceSeconds + warmUpSeconds) * outputsPerSecond, perSecond: outputsPerSecond }
  // The first run waits until everything before it is in the store; five processes and a JVM compile themselves first.
  const warmUp = { ...pace, count: compileSeconds * outputsPerSecond }
  await feed({ kind: 'pace', ...warmUp }, openWithinMs)
  await chain.ask(warmUp, { withinMs: runWithinMs })

  const quantiles = ({ latenciesMs }: ChainAnswer): Quantiles =>
    quantilesOf(Float64Array.from(latenciesMs.slice(warmUpSeconds * probesPerSecond)))
  const measured: LatencyRound[] = []
  let replayed = 0
  for (let round = 1; round <= rounds; round++) {
    const ours = await feed({ kind: 'pace', ...pace }, runWithinMs)
    const theirs = await chain.ask(pace, { withinMs: runWithinMs })
    replayed = ours.replayed
    measured.push({ pipeline: quantiles(ours), chain: quantiles(theirs) })
    const shown = [quantiles(ours), quantiles(theirs)].map(({ p50, p99 }) => `${Math.round(p50)} / ${Math.round(p99)}`)
    say(`round ${round}, p50 / p99 in ms: engine to store ${shown[0]}, bare chain ${shown[1]}`)
  }
  if (replayed > 0) say(`${replayed} outputs were lost on the live socket and replayed`)
  for (const service of services) await service.stop()
  return measured
}
