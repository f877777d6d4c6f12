import { join } from 'node:path'
import { serviceEnvironment } from '../../local/stack.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import type { Part } from '../part.ts'
import { outDir } from '../report.ts'
import { makeKafkaPlaces } from '../kafka-places.ts'
import { median } from '../statistics.ts'
import { Worker } from '../worker.ts'
import { startBridge } from './bridge-process.ts'
import { figuresOf } from './figures.ts'
import { openPerfTool } from './perf-tool.ts'
import { cpuUs, ResidentMemory } from '../process-stats.ts'
import type { Burst, Paced, Run } from './runs.ts'

const rounds = 5
const span = { warmUpMs: 1000, measureMs: 4000 }
/** Enough for a first closed loop; those after it are given what the first rate asks for, and half as much again. */
const firstCount = 150_000
const margin = 1.5
const perfToolSeconds = 5
/** Below that many records its JVM has not warmed up. */
const perfToolLeast = 150_000
const paceSeconds = 4
const paceWarmUpSeconds = 1
/** Each run takes seconds; one that takes this long will not end. */
const runWithinMs = 60_000

type Fed<Ready> = Worker<Ready, Run, Burst & Paced & { readonly replayed: number }>
type Addresses = { readonly live: string; readonly replay: string }

/** engine → `engine.outputs`, from ZeroMQ to durable. */
export const bridgePart: Part = {
  name: 'bridge',
  servers: ['kafka'],
  sizes: 'one',
  async run({ stack, env, say }) {
    const { brokers } = stack.kafka
    const run = Date.now().toString(36)
    const [bridged, ported, toolFed] = ['bridge', 'port', 'tool'].map(word => namesOf(`bench_${word}_${run}`)) as [
      StreamNames,
      StreamNames,
      StreamNames,
    ]
    await makeKafkaPlaces(brokers, [bridged, ported, toolFed], { partitions: 1 })
    const perfTool = await openPerfTool({ env, brokers, topic: toolFed.topics.log })

    await using ending = new AsyncDisposableStack()
    const feeder: Fed<Addresses> = await Worker.start(join(import.meta.dirname, 'feeder/main.ts'))
    ending.defer(() => feeder.stop())
    const bridge = await startBridge({
      stream: bridged.stream,
      servers: serviceEnvironment(stack),
      engine: feeder.ready,
      dir: outDir,
    })
    ending.defer(async () => void (await bridge.stop({ withinMs: 10_000 })))
    const port: Fed<object> = await Worker.start(join(import.meta.dirname, 'port-feeder/main.ts'), [
      brokers.join(','),
      ported.topics.log,
    ])
    ending.defer(() => port.stop())

    const feedBridge = async (what: Run) => {
      const before = cpuUs(bridge.pid)
      const died = bridge.ended.then(({ code, message }) => {
        throw new Error(`the bridge ended with exit code ${code}: ${message} (all of its words: ${bridge.logFile})`)
      })
      const fed = await Promise.race([feeder.ask(what, { withinMs: runWithinMs }), died])
      return { ...fed, cpuUsPerOutput: (cpuUs(bridge.pid) - before) / fed.count }
    }
    const feedPort = (what: Run) => port.ask(what, { withinMs: runWithinMs })

    say('warming up')
    const first = { kind: 'burst', count: firstCount, ...span } as const
    const enough = ({ perSecond }: Burst): Run => {
      const seconds = (span.warmUpMs + span.measureMs) / 1000
      return { kind: 'burst', count: Math.ceil(perSecond * seconds * margin), ...span }
    }
    const bridgeBurst = enough(await feedBridge(first))
    const portFirst = await feedPort(first)
    const portBurst = enough(portFirst)
    const perfToolCount = Math.max(perfToolLeast, Math.ceil(portFirst.perSecond * perfToolSeconds))
    const memory = new ResidentMemory(bridge.pid)
    ending.defer(async () => void memory.stop())

    const rates = { bridge: [] as Burst[], port: [] as Burst[], perfTool: [] as number[] }
    for (let round = 1; round <= rounds; round++) {
      const ours = await feedBridge(bridgeBurst)
      const fromMemory = await feedPort(portBurst)
      const tool = await perfTool(perfToolCount)
      rates.bridge.push(ours)
      rates.port.push(fromMemory)
      rates.perfTool.push(tool)
      const shown = [ours.perSecond, fromMemory.perSecond, tool].map(rate => Math.round(rate / 100) / 10)
      say(`round ${round}: bridge ${shown[0]}, port ${shown[1]}, ProducerPerformance ${shown[2]} thousand a second`)
    }

    const perSecond = Math.round(median(rates.bridge.map(rate => rate.perSecond)) / 4)
    const [count, warmUp] = [paceSeconds * perSecond, paceWarmUpSeconds * perSecond]
    const pace = { kind: 'paced', count, warmUp, perSecond } as const
    const latencies = { bridge: [] as Paced[], port: [] as Paced[] }
    let replayed = 0
    for (let round = 1; round <= rounds; round++) {
      const ours = await feedBridge(pace)
      const fromMemory = await feedPort(pace)
      replayed = ours.replayed
      latencies.bridge.push(ours)
      latencies.port.push(fromMemory)
      const shown = [ours, fromMemory].map(({ latencyMs }) => Math.round(latencyMs.p99))
      say(`round ${round} at ${perSecond} a second: p99 bridge ${shown[0]} ms, port ${shown[1]} ms`)
    }
    if (replayed > 0) say(`${replayed} outputs were lost on the live socket and replayed`)

    return figuresOf({
      ...rates,
      latencyPerSecond: perSecond,
      bridgeLatencies: latencies.bridge.map(({ latencyMs }) => latencyMs),
      portLatencies: latencies.port.map(({ latencyMs }) => latencyMs),
      memory: memory.stop(),
    })
  },
}
