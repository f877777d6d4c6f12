import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { catchUp, firstCommits } from '../catch-up.ts'
import type { ChaosRun } from '../chaos-run.ts'
import { firstOutputs } from '../engine-in-log.ts'
import { holdLogToJournal } from '../hold-log-to-journal.ts'
import { holdToVerify, told } from '../hold-to-verify.ts'
import { onStage } from '../on-stage.ts'
import { askUntil } from '../read-log.ts'
import { exitRows, memoryText, type Report, type ReportRow } from '../report.ts'
import { storm, stormRows, stormShortfalls } from '../storm.ts'
import { notDrained } from './drained.ts'
import { diskFull, kindOf, neverStruck, type SinkFault, sinkMenu } from './faults.ts'
import { holdToLoneArchive } from './lone-archive.ts'
import { SinkStage } from './stage.ts'

/** 30 in two minutes, and as many a minute in a longer run. */
const leastFaultsPerMinute = 15
/** Between two faults on average: some are skipped. */
const meanGapMs = 2500
const bounds = {
  /** From when all faults are over to everything being written and committed: a longer time is a violation. */
  catchUpMs: 120_000,
  /** From when nothing new comes: the last windows close. */
  drainMs: 60_000,
  archiveVerifyMs: 120_000,
  memory: { limitMb: 300, riseMb: 60 },
} as const

/** The stage has no ScyllaDB. */
const without = new Set(['settle'] as const)

/** TARGET=sink: everything from the start of the servers to the verdict; what it started is ended. */
export const runSink = async (run: ChaosRun): Promise<Report> => {
  run.say('Kafka and the StarRocks stand-in start')
  return await onStage(run, { open: () => SinkStage.open(run), act: stage => withinChaos(run, stage) })
}

/** Without a disk of its own none is made full. */
const menuOf = ({ disk }: SinkStage): typeof sinkMenu => (disk ? sinkMenu : sinkMenu.filter(item => item !== diskFull))

const withinChaos = async (run: ChaosRun, stage: SinkStage): Promise<Report> => {
  const { trace, say } = run
  const { world, stream, disk, starrocks } = stage
  const { cast } = world
  if (!disk) say('nothing may be mounted here: no disk will be full, run as root to have that too')
  say('engine, bridge, repartition, loads and archives start')
  world.start()
  await firstOutputs(stream.kafka, stream.names.topics.log)
  await firstCommits(stream, without)
  const each = await storm<SinkFault>(run, {
    ...{ world, menu: menuOf(stage), meanGapMs, kindOf },
    catchUp: () => drain(run, stage),
  })
  const checked = await checkEverything(run, stage, each.caughtUpMs === null ? 'behind' : 'at rest')
  const memory = (['load', 'archive'] as const).map(kind => ({ kind, ...each.memoryOf(kind, bounds.memory) }))
  for (const { kind, problems } of memory)
    for (const problem of problems) trace.violate(`${kind}: ${problem}`, { shown: 'alone' })
  const rows: ReportRow[] = [
    ...stormRows(run, world, each),
    ...checked,
    ['starts', ['load', 'archive'].map(kind => `${cast.starts(kind)} of ${kind}`).join(', ')],
    ['loads struck by the stand-in', countsText(Object.entries(await starrocks.struck()))],
    ['loads that were not done at once', countsText([...world.loadVerdicts])],
    ...(disk ? [] : [['archive disk-full', 'left out: nothing may be mounted here'] as const]),
    ...memory.map(verdict => [`memory of ${verdict.kind}`, memoryText(verdict)] as const),
    ...exitRows(cast.exits),
  ]
  const shortfalls = [...stormShortfalls(run, each, { leastFaultsPerMinute }), ...neverStruck(each.faults.byKind)]
  return { faults: each.faults, rows, shortfalls, violations: trace.violations }
}

const countsText = (counts: readonly (readonly [string, number])[]): string =>
  counts.length === 0 ? 'none' : counts.map(([kind, count]) => `${kind} ${count}`).join(', ')

/** Waits until the sinks have written all there is; then nothing new comes, and the last windows close. */
const drain = async (run: ChaosRun, { world, stream, starrocks }: SinkStage): Promise<boolean> => {
  await starrocks.clear()
  const { engine } = world
  if (!(await catchUp(run, stream, { engine, without, withinMs: bounds.catchUpMs }))) return false
  await world.endSources('SIGTERM')
  const isDrained = await askUntil(() => notDrained(stream), {
    isWanted: behind => behind.length === 0,
    withinMs: bounds.drainMs,
    everyMs: 200,
  })
  if (isDrained) return true
  for (const behind of await notDrained(stream)) run.trace.violate(`no progress: ${behind}`, { shown: 'alone' })
  return false
}

/** What log, StarRocks and files hold is what the engine says; and one archive alone makes the same files. */
const checkEverything = async (
  run: ChaosRun,
  stage: SinkStage,
  state: 'at rest' | 'behind',
): Promise<readonly ReportRow[]> => {
  const { trace, say, dir, signal } = run
  const { stream, archiveDir } = stage
  const { kafka, names } = stream
  signal.throwIfAborted()
  say('the log is held against the journal')
  const log = await holdLogToJournal({ ...{ kafka, topic: names.topics.log, folder: join(dir, 'engine'), trace } })
  const verified = await holdToVerify(run, stream, state)
  say('settle archive verify proves the folder by itself')
  const whole = await stream.settle(['archive', 'verify', archiveDir], { withinMs: bounds.archiveVerifyMs })
  await writeFile(join(dir, 'archive-verify.txt'), `${whole.stdout}${whole.stderr}`)
  const lines = whole.stdout.trimEnd().split('\n')
  if (whole.exitCode !== 0)
    trace.violate(
      `settle archive verify ended with ${whole.exitCode}: ${[...lines.slice(0, told), whole.stderr].join('\n')}`,
      { shown: 'alone' },
    )
  const alone = state === 'behind' ? [] : await holdToLoneArchive(run, stage)
  return [
    ['outputs in the log', `${log.counts.outputs}`],
    ...verified,
    ['settle archive verify', lines.at(-1) ?? ''],
    ...alone,
  ]
}
