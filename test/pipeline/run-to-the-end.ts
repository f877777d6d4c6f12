import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import { compareWithEngine } from '../../sim/demo/compare-with-engine.ts'
import { type EngineDump, readEngineDump } from '../../sim/demo/engine-dump.ts'
import { demoIntervals } from '../../sim/demo/intervals.ts'
import { Pipeline } from '../../sim/pipeline/pipeline.ts'
import { openStore } from './stack-clients.ts'

const partitions = 12
const flowMs = 300_000
const verifyWaitMs = 180_000
/** The engine's clock at its first output: the same in every run, so that equal seeds give equal bytes. */
const startTime = '2026-01-05T09:30:00Z'

let streams = 0
/** A stream that no other test, and no other run, has. */
export const newStream = (word: string): string => `${word}_${process.pid}_${++streams}`

/** A pipeline of its own stream on the servers that this run of the tests shares. */
export const newPipeline = async (
  stack: Stack,
  { stream, engine }: { readonly stream: string; readonly engine: Readonly<Record<string, string>> },
): Promise<Pipeline> => {
  const dir = join(stack.dataDir, 'streams', stream)
  await mkdir(dir, { recursive: true })
  const pipeline = new Pipeline({
    stream,
    partitions,
    dir,
    intervals: demoIntervals(stack),
    servers: serviceEnvironment(stack),
    engine: { ENGINE_START_TIME: startTime, ...engine },
  })
  await pipeline.prepare()
  return pipeline
}

export type Outcome = {
  readonly dump: EngineDump
  /** The store against the engine's own books. */
  readonly differences: readonly string[]
  readonly verify: { readonly exitCode: number; readonly text: string }
}

/** Runs a stream until its flow is done and `settle verify` has judged its last output; `meanwhile` goes on beside it. */
export const runToTheEnd = async (
  stack: Stack,
  options: {
    readonly stream: string
    readonly engine: Readonly<Record<string, string>>
    readonly meanwhile?: (pipeline: Pipeline) => Promise<void>
  },
): Promise<Outcome> => {
  const { stream, meanwhile } = options
  const pipeline = await newPipeline(stack, options)
  try {
    await pipeline.init()
    await pipeline.startAll()
    const flow = Promise.all([pipeline.engine.done, meanwhile?.(pipeline)])
    await within(flowMs, Promise.race([flow, pipeline.failure]))
    const judged = pipeline.settle(['verify', '--wait-ms', `${verifyWaitMs}`], { withinMs: 2 * verifyWaitMs })
    const { exitCode, stdout, stderr } = await Promise.race([judged, pipeline.failure])
    await pipeline.stopAll()
    const dump = await readEngineDump(pipeline.engine.dumpFile)
    const store = await openStore(stack, stream)
    try {
      const { differences } = await compareWithEngine(store, dump)
      return { dump, differences, verify: { exitCode, text: `${stdout}${stderr}` } }
    } finally {
      await store.close()
    }
  } finally {
    await pipeline.stopAll().catch(() => {})
  }
}

const within = async <T>(ms: number, work: Promise<T>): Promise<T> => {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`the flow was not done within ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
