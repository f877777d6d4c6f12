import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compareWithEngine } from '../../../sim/demo/compare-with-engine.ts'
import { readEngineDump } from '../../../sim/demo/engine-dump.ts'
import { catchUp, firstCommits } from '../catch-up.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { firstOutputs } from '../engine-in-log.ts'
import { holdLogToJournal } from '../hold-log-to-journal.ts'
import { holdToVerify, told } from '../hold-to-verify.ts'
import { onStage } from '../on-stage.ts'
import { exitRows, memoryText, type Report, type ReportRow } from '../report.ts'
import { storm, stormRows, stormShortfalls } from '../storm.ts'
import { failoverRows, failoverText, judgeFailovers } from './failover-report.ts'
import { kindOf, meanGapMs, settleMenu } from './faults.ts'
import { SettleStage } from './stage.ts'

/** 30 in three minutes, and as many a minute in a longer run. */
const leastFaultsPerMinute = 10
/** Owners that are killed in the calm, so that there are fail-overs that nothing disturbs. */
const calmFailovers = 5
const bounds = {
  /** From one of them to its end, with every process back in the group. */
  failoverMs: 60_000,
  /** From when all faults are over to everything being settled and committed: a longer time is a violation. */
  catchUpMs: 120_000,
  memory: { limitMb: 300, riseMb: 60 },
} as const

/** The stage has no StarRocks and no archive. */
const without = new Set(['load', 'archive', 'archiveLog'] as const)

/** TARGET=settle: everything from the start of the servers to the verdict; what it started is ended. */
export const runSettle = async (run: ChaosRun): Promise<Report> => {
  run.say('Kafka and three Cassandras start')
  return await onStage(run, { open: () => SettleStage.open(run), act: stage => withinChaos(run, stage) })
}

const withinChaos = async (run: ChaosRun, stage: SettleStage): Promise<Report> => {
  const { trace, dir, say } = run
  const { world, stream } = stage
  const { cast, engine, failovers } = world
  say('engine, bridges, repartitions and settles start')
  world.start()
  await firstOutputs(stream.kafka, stream.names.topics.log)
  await firstCommits(stream, without)
  const each = await storm(run, {
    ...{ world, menu: settleMenu, meanGapMs, kindOf },
    drill: () =>
      world.failOver(calmFailovers, {
        ...{ partitions: stream.partitions, withinMs: bounds.failoverMs, signal: run.signal },
      }),
    catchUp: () => catchUp(run, stream, { engine, without, withinMs: bounds.catchUpMs }),
  })
  const stored = await checkEverything(run, stage, each.caughtUpMs === null ? 'behind' : 'at rest')
  const memory = each.memoryOf('settle', bounds.memory)
  for (const problem of memory.problems) trace.violate(`settle: ${problem}`, { shown: 'alone' })
  const judged = judgeFailovers(failovers.all)
  for (const problem of judged.violations) trace.violate(problem, { shown: 'alone' })
  await writeFile(join(dir, 'failovers.txt'), failoverText(failovers.all))
  const rows: ReportRow[] = [
    ...stormRows(run, world, each),
    ...stored,
    ['starts', ['settle', 'repartition', 'bridge'].map(kind => `${cast.starts(kind)} of ${kind}`).join(', ')],
    ['owners that started again, a node in doubt', `${world.reopened}`],
    ['told that nothing could be committed for long', `${world.stalls}`],
    ...failoverRows(failovers.all),
    ['memory of a settle', memoryText(memory)],
    ['memory of a repartition', memoryText(each.memoryOf('repartition', bounds.memory))],
    ['memory of a bridge', memoryText(each.memoryOf('bridge', bounds.memory))],
    ...exitRows(cast.exits),
  ]
  const shortfalls = [
    ...stormShortfalls(run, each, { leastFaultsPerMinute }),
    // No fault lasts so long: rows that are late by more than a minute wait for a processor.
    ...(world.lateIntervals === 0 ? [] : [`${world.lateIntervals} intervals lacked rows for more than a minute`]),
    ...judged.shortfalls,
  ]
  return { faults: each.faults, rows, shortfalls, violations: trace.violations }
}

/** What the log, `user.outputs` and the store hold is what the engine says; of a store that is behind, what the log says. */
const checkEverything = async (
  run: ChaosRun,
  { stream, openStore }: SettleStage,
  state: 'at rest' | 'behind',
): Promise<readonly ReportRow[]> => {
  const { trace, say, dir, signal } = run
  const { kafka, names } = stream
  signal.throwIfAborted()
  say('the log is held against the journal')
  const log = await holdLogToJournal({ ...{ kafka, topic: names.topics.log, folder: join(dir, 'engine'), trace } })
  const verified = await holdToVerify(run, stream, state)
  if (state === 'behind') return verified
  say("the store is held against the engine's own books")
  const store = await openStore()
  try {
    const engine = await readEngineDump(stream.engineDump)
    const { differences, balances, openOrders } = await compareWithEngine(store, engine)
    for (const difference of differences.slice(0, told)) trace.violate(`store: ${difference}`, { shown: 'alone' })
    if (differences.length > told)
      trace.violate(`store: ${differences.length - told} more like these`, { shown: 'alone' })
    const parked = await store.query('SELECT user_id, pos, code FROM parked')
    for (const { user_id, pos, code } of parked.slice(0, told))
      trace.violate(`parked: user ${user_id as bigint} at pos ${pos as bigint}: ${code as string}`, { shown: 'alone' })
    return [
      ['outputs in the log', `${log.counts.outputs}`],
      ...verified,
      ["the engine's own books", `${balances} balances, ${openOrders} open orders, ${differences.length} differ`],
      ['users parked', `${parked.length}`],
    ]
  } finally {
    await store.close()
  }
}
