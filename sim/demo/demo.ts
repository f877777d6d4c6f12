import { join, relative, resolve } from 'node:path'
import { serviceEnvironment, type Stack, up } from '../../local/stack.ts'
import { showProgress } from '../../local/progress.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { Pipeline } from '../pipeline/pipeline.ts'
import { showBars } from './bars.ts'
import { compareWithEngine } from './compare-with-engine.ts'
import { demoIntervals } from './intervals.ts'
import { type EngineDump, readEngineDump } from './engine-dump.ts'
import { exampleQueries, tryQuery } from './example-queries.ts'
import { followRun } from './follow-run.ts'
import { type DemoSettings, demoSettings } from './settings.ts'
import { openPlaces, type Places } from './places.ts'
import { shownSteps } from './shown-steps.ts'
import { summary } from './summary.ts'

type Environment = Readonly<Record<string, string | undefined>>

const clone = resolve(import.meta.dirname, '../..')
/** The user that receives fees; above any number of users. */
const house = '1000000000'
const verifyWaitMs = 120_000
const verifyMs = 300_000
const shownDifferences = 20

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/**
 * The whole pipeline once, from the servers to the verdict. The servers and the data stay, the services do not.
 * @returns 0 only when every place holds what the engine said
 * @throws SetupError, PipelineError, DemoSettingsError
 */
export const runDemo = async ({
  env,
  signal,
}: {
  readonly env: Environment
  readonly signal: AbortSignal
}): Promise<number> => {
  const startedMs = performance.now()
  const settings = demoSettings(env)
  say(titleOf(settings))
  const stack = await up({ env, progress: showProgress() })
  signal.throwIfAborted()
  // A stream of its own for each run: nothing of an earlier one stands beside it.
  const stream = `demo_${settings.seed}_${Date.now().toString(36)}`.slice(0, 31)
  const pipeline = new Pipeline({
    stream,
    partitions: settings.partitions,
    dir: join(stack.dataDir, 'demo', stream),
    intervals: demoIntervals(stack),
    servers: serviceEnvironment(stack),
    engine: engineSettings(settings),
  })
  const aborted = Promise.withResolvers<never>()
  aborted.promise.catch(() => {})
  signal.addEventListener('abort', () => aborted.reject(new Error('interrupted')), { once: true })
  try {
    const { exitCode, verdict } = await Promise.race([
      through({ pipeline, stack, stream, env }),
      pipeline.failure,
      aborted.promise,
    ])
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    say(
      `The servers and the data stay: \`make down\` ends the servers, \`make clean\` removes everything. ${seconds} s in all.`,
    )
    say(verdict)
    return exitCode
  } finally {
    await pipeline.stopAll()
  }
}

const titleOf = ({ orders, users, seed, flowFile }: DemoSettings): string => {
  const whose = `${users} users, seed ${seed}`
  return flowFile === null
    ? `Settle: ${orders} orders of ${whose} on 3 symbols, from the engine to every store.\n`
    : `Settle: the order flow of ${flowFile} as ${whose}, from the engine to every store.\n`
}

const engineSettings = ({ orders, users, seed, flowFile }: DemoSettings): Readonly<Record<string, string>> => ({
  ENGINE_USERS: `${users}`,
  ENGINE_SEED: seed,
  ENGINE_HOUSE: house,
  ...(orders !== null && { ENGINE_ORDERS: `${orders}` }),
  ...(flowFile !== null && { ENGINE_FLOW_FILE: flowFile }),
})

const through = async ({
  pipeline,
  stack,
  stream,
  env,
}: {
  readonly pipeline: Pipeline
  readonly stack: Stack
  readonly stream: string
  readonly env: Environment
}): Promise<{ readonly exitCode: number; readonly verdict: string }> => {
  await shownSteps(async step => {
    await step(`Make stream ${stream}`, async () => {
      await pipeline.prepare()
      await pipeline.init()
    })
    await step('Start engine and services', () => pipeline.startAll())
  })

  const names = namesOf(stream)
  await using places = await openPlaces(stack, names)
  say('\nThe run:')
  await followRun({ pipeline, kafka: places.kafka, names, bars: showBars() })

  const verdict = await shownSteps(async step => {
    const said = await step('settle verify', () =>
      pipeline.settle(['verify', '--wait-ms', `${verifyWaitMs}`], { withinMs: verifyMs }),
    )
    await step('Stop engine and services', () => pipeline.stopAll())
    return said
  })
  const dump = await readEngineDump(pipeline.engine.dumpFile)
  say(`\nWhat went through:\n${await summary({ dump, sql: places.sql, archiveDir: pipeline.archiveDir })}`)
  const report = verdict.stdout.trimEnd().split('\n')
  say(`\nWhat settle verify compared:\n${report.slice(0, -1).join('\n')}`)
  if (verdict.stderr !== '') say(verdict.stderr.trimEnd())

  const engine = await compareWithEngine(places.cql, dump)
  for (const line of engine.differences.slice(0, shownDifferences)) say(line)
  say(
    `\nAgainst the engine's own books: ${engine.balances} balances and ${engine.openOrders} open orders, ${engine.differences.length} differences`,
  )
  await offerQueries({ places, names, dump, pipeline, env })
  say(`\nLogs and files of this run: ${relative(process.cwd(), join(stack.dataDir, 'demo', stream))}`)
  return {
    exitCode: verdict.exitCode !== 0 ? verdict.exitCode : engine.differences.length > 0 ? 1 : 0,
    verdict: engine.differences.length > 0 ? "the store differs from the engine's own books" : (report.at(-1) ?? ''),
  }
}

const offerQueries = async ({
  places,
  names,
  dump,
  pipeline,
  env,
}: {
  readonly places: Places
  readonly names: StreamNames
  readonly dump: EngineDump
  readonly pipeline: Pipeline
  readonly env: Environment
}): Promise<void> => {
  say('\nTry it yourself:')
  const queries = await exampleQueries({
    ...places,
    names,
    dump,
    house,
    archiveDir: pipeline.archiveDir,
    clone,
    stackFolder: env['SETTLE_DATA'],
  })
  for (const query of queries) say(`\n# ${query.title}\n${query.command}\n${await tryQuery(query, { clone })}`)
}
