import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { awaitCommonBarrier } from '../../../ops/verify/common-barrier.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { KafkaFailure } from '../../../runtime/kafka/port.ts'
import { Stop } from '../../../runtime/stop.ts'
import { compareWithEngine } from '../../../sim/demo/compare-with-engine.ts'
import { readEngineDump } from '../../../sim/demo/engine-dump.ts'
import { carryOut } from '../carry-out.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { endOfFlow, firstOutputs } from '../engine-in-log.ts'
import type { FaultCount } from '../fault-count.ts'
import { holdLogToJournal } from '../hold-log-to-journal.ts'
import { csvOf, judgeMemory, type MemoryVerdict } from '../memory.ts'
import { exitRows, memoryText, type Report, type ReportRow, seconds } from '../report.ts'
import { failoverRows, failoverText, judgeFailovers } from './failover-report.ts'
import { kindOf, settleMenu } from './faults.ts'
import { partitions, SettleStage } from './stage.ts'

/** 30 in three minutes, and as many a minute in a longer run. */
const leastFaultsPerMinute = 10
/** Between two faults on average: some are skipped. */
const meanGapMs = 3800
const bounds = {
  /** From when all faults are over to everything being settled and committed: a longer time is a violation. */
  catchUpMs: 120_000,
  lookMs: 500,
  verifyMs: 300_000,
  memory: { limitMb: 300, riseMb: 60 },
} as const

/** The stage has no StarRocks and no archive. */
const without = new Set(['load', 'archive', 'archiveLog'] as const)

/** TARGET=settle: everything from the start of the servers to the verdict; what it started is ended. */
export const runSettle = async (run: ChaosRun): Promise<Report> => {
  run.say('Kafka and three Cassandras start')
  const stage = await SettleStage.open(run)
  let outcome: 'finished' | 'cut off' = 'cut off'
  try {
    const report = await withinChaos(run, stage)
    outcome = 'finished'
    return report
  } finally {
    // A run that failed keeps what it wrote.
    const isGood = outcome === 'finished' && run.trace.violations.length === 0
    await stage.close({ data: isGood ? 'removed' : 'kept' })
  }
}

const withinChaos = async (run: ChaosRun, stage: SettleStage): Promise<Report> => {
  const { settings, trace, dir, say } = run
  const { world, kafka, names } = stage
  const { cast, engine } = world
  say('engine, bridges, repartitions and settles start')
  world.start()
  await firstOutputs(kafka, names.topics.log)
  await firstCommits(stage)
  const looks = setInterval(() => cast.sampleMemory(), bounds.lookMs)
  try {
    const [startMs, startOutputs] = [trace.nowMs, engine.outputs]
    const faults = await carryOut(run, { menu: settleMenu, meanGapMs, apply: fault => world.apply(fault), kindOf })
    const chaosMs = trace.nowMs - startMs
    const rate = ((engine.outputs - startOutputs) / chaosMs) * 1000
    const endMs = trace.nowMs
    const caughtUpMs = await calmDown(run, stage, faults)
    clearInterval(looks)
    await world.end('SIGTERM')
    const stored = await checkEverything(run, stage, caughtUpMs === null ? 'behind' : 'at rest')
    await writeFile(join(dir, 'memory.csv'), csvOf(cast.samples))
    const memoryOf = (kind: string): MemoryVerdict =>
      judgeMemory(cast.samplesOf(kind), { ...bounds.memory, faultsEndMs: endMs })
    const memory = memoryOf('settle')
    for (const problem of memory.problems) trace.violate(`settle: ${problem}`, { shown: 'alone' })
    const failovers = judgeFailovers(world.failovers.all)
    for (const problem of failovers.violations) trace.violate(problem, { shown: 'alone' })
    await writeFile(join(dir, 'failovers.txt'), failoverText(world.failovers.all))
    const perMinute = (faults.applied / chaosMs) * 60_000
    const rows: ReportRow[] = [
      ['seed', `${settings.seed}`],
      ['length', `${seconds(chaosMs)} of faults, caught up ${seconds(caughtUpMs)} after them`],
      ['faults applied', `${faults.applied}, ${perMinute.toFixed(0)} a minute`],
      ['outputs of the engine', `${engine.outputs}, ${rate.toFixed(0)} a second under faults`],
      ...stored,
      ['starts', ['settle', 'repartition', 'bridge'].map(kind => `${cast.starts(kind)} of ${kind}`).join(', ')],
      ['owners that started again, a node in doubt', `${world.reopened}`],
      ['told that nothing could be committed for long', `${world.stalls}`],
      ...failoverRows(world.failovers.all),
      ['memory of a settle', memoryText(memory)],
      ['memory of a repartition', memoryText(memoryOf('repartition'))],
      ['memory of a bridge', memoryText(memoryOf('bridge'))],
      ...exitRows(cast.exits),
    ]
    const shortfalls = [
      perMinute >= leastFaultsPerMinute ||
        `${perMinute.toFixed(0)} faults a minute were applied, ${leastFaultsPerMinute} are needed`,
      rate >= settings.rate || `the engine made ${rate.toFixed(0)} outputs a second, RATE asks for ${settings.rate}`,
      // No fault lasts so long: rows that are late by more than a minute wait for a processor.
      world.lateIntervals === 0 || `${world.lateIntervals} intervals lacked rows for more than a minute`,
      ...failovers.shortfalls,
    ].filter(problem => problem !== true)
    return { faults, rows, shortfalls, violations: trace.violations }
  } finally {
    clearInterval(looks)
  }
}

/** Faults begin when everything works: every partition of settle has come past its first barrier. */
const firstCommits = async ({ kafka, names }: SettleStage): Promise<void> =>
  void (await awaitCommonBarrier({ ...{ kafka, names, partitions, without }, clock: systemClock, waitMs: 180_000 }))

/** How long after the last fault was over everything was settled and committed; null when it took too long. */
const calmDown = async (run: ChaosRun, stage: SettleStage, faults: FaultCount): Promise<number | null> => {
  const { trace, say, dir } = run
  const { world, kafka, names } = stage
  say('calm: what is behind catches up')
  trace.note('calm')
  world.calm()
  await faults.settled()
  const calmMs = trace.nowMs
  const end = await endOfFlow({
    ...{ engine: world.engine, folder: join(dir, 'engine'), kafka, topic: names.topics.log },
    withinMs: bounds.catchUpMs,
  })
  try {
    if (end.kind === 'missed') throw new Error(end.problem)
    await awaitCommonBarrier({
      ...{ kafka, names, partitions, without, clock: systemClock },
      waitMs: Math.max(0, bounds.catchUpMs - Math.round(trace.nowMs - calmMs)),
    })
    return trace.nowMs - calmMs
  } catch (error) {
    if (!(error instanceof Stop || error instanceof KafkaFailure || end.kind === 'missed')) throw error
    trace.violate(`no progress: ${error instanceof Error ? error.message : String(error)}`, { shown: 'alone' })
    return null
  }
}

/** What the log, `user.outputs` and the store hold is what the engine says; of a store that is behind, what the log says. */
const checkEverything = async (
  run: ChaosRun,
  stage: SettleStage,
  state: 'at rest' | 'behind',
): Promise<readonly ReportRow[]> => {
  const { trace, say, dir, signal } = run
  const { kafka, names } = stage
  signal.throwIfAborted()
  say('the log is held against the journal')
  const log = await holdLogToJournal({ ...{ kafka, topic: names.topics.log, folder: join(dir, 'engine'), trace } })
  say('settle verify compares log and store')
  const verify = await stage.settle(['verify', '--skip', 'starrocks,archive'], { withinMs: bounds.verifyMs })
  await writeFile(join(dir, 'verify.txt'), `${verify.stdout}${verify.stderr}`)
  const verdict = lastLine(verify.stdout) || lastLine(verify.stderr)
  if (verify.exitCode !== 0)
    trace.violate(`settle verify ended with ${verify.exitCode}: ${verdict}`, { shown: 'alone' })
  if (state === 'behind') return [['settle verify, of a store that is behind', verdict]]
  if (/does not cover/.test(verify.stdout))
    trace.violate('settle verify does not cover the last output', { shown: 'alone' })
  say("the store is held against the engine's own books")
  const store = await stage.openStore()
  try {
    const { differences, balances, openOrders } = await compareWithEngine(store, await readEngineDump(stage.engineDump))
    for (const difference of differences.slice(0, told)) trace.violate(`store: ${difference}`, { shown: 'alone' })
    if (differences.length > told)
      trace.violate(`store: ${differences.length - told} more like these`, { shown: 'alone' })
    const parked = await store.query('SELECT user_id, pos, code FROM parked')
    for (const { user_id, pos, code } of parked.slice(0, told))
      trace.violate(`parked: user ${user_id as bigint} at pos ${pos as bigint}: ${code as string}`, { shown: 'alone' })
    return [
      ['outputs in the log', `${log.counts.outputs}`],
      ['settle verify', verdict],
      ["the engine's own books", `${balances} balances, ${openOrders} open orders, ${differences.length} differ`],
      ['users parked', `${parked.length}`],
    ]
  } finally {
    await store.close()
  }
}

const told = 20
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? ''
