import { join } from 'node:path'
import type { KafkaPort } from '../../../runtime/kafka/port.ts'
import type { StreamNames } from '../../../runtime/names.ts'
import type { ChaosRun } from '../chaos-run.ts'
import type { LogCheck } from '../check-log.ts'
import { endOfFlow, firstOutputs } from '../engine-in-log.ts'
import { holdLogToJournal } from '../hold-log-to-journal.ts'
import { LogProgress } from '../log-progress.ts'
import { onStage } from '../on-stage.ts'
import { readLast } from '../read-log.ts'
import { exitRows, memoryText, type Report, type ReportRow, seconds } from '../report.ts'
import { storm, stormRows, stormShortfalls } from '../storm.ts'
import { sessionKey } from './acks.ts'
import { bridgeMenu, kindOf } from './faults.ts'
import { BridgeStage } from './stage.ts'
import type { BridgeWorld } from './world.ts'

const leastFaultsPerMinute = 60
/** Between two faults on average: some are skipped. */
const meanGapMs = 550
const bounds = {
  /** From when all faults are over to the last output in the log: a longer time is a violation. */
  catchUpMs: 60_000,
  memory: { limitMb: 250, riseMb: 50 },
} as const

/** TARGET=bridge: everything from the start of Kafka to the verdict; what it started is ended. */
export const runBridge = async (run: ChaosRun): Promise<Report> => {
  run.say('Kafka starts')
  return await onStage(run, {
    open: () => BridgeStage.open(run),
    act: ({ world, kafka, names }) => withinChaos({ run, world, kafka, names }),
  })
}

type Chaos = {
  readonly run: ChaosRun
  readonly world: BridgeWorld
  readonly kafka: KafkaPort
  readonly names: StreamNames
}

const withinChaos = async (chaos: Chaos): Promise<Report> => {
  const { run, world, kafka, names } = chaos
  const { trace, say } = run
  const { cast, engine } = world
  say('engine and bridges start')
  world.start()
  await firstOutputs(kafka, names.topics.log)
  const progress = new LogProgress(() => readLast(kafka, names.topics.log))
  const startOutputs = engine.outputs
  const each = await storm(run, {
    ...{ world, menu: bridgeMenu, meanGapMs, kindOf },
    onLook: () => void progress.look(trace.nowMs),
    catchUp: () => catchUp(chaos),
  })
  const check = await checkLog(chaos)
  const memory = each.memoryOf('bridge', bounds.memory)
  for (const problem of memory.problems) trace.violate(`bridge: ${problem}`, { shown: 'alone' })
  const logRate = ((engine.outputs - startOutputs) / (each.chaosMs + (each.caughtUpMs ?? 0))) * 1000
  const rows: ReportRow[] = [
    ...stormRows(run, world, each),
    ['outputs in the log', `${check.counts.outputs}, ${logRate.toFixed(0)} a second until caught up`],
    ['other records in the log', `${check.counts.sessions} Sessions, ${check.counts.ticks} Ticks`],
    ['ACKs', `${world.acks.count}; at ${world.audits} of them everything was frozen and the log asked`],
    ['sessions of the engine', `${engine.sessions}`],
    ['terms of the bridges', `${world.terms}`],
    ['starts', `${cast.starts('bridge')} of bridges, ${cast.starts('engine')} of the engine`],
    ['longest standstill of the log', seconds(progress.longestStallMs)],
    ['memory of a bridge', memoryText(memory)],
    ['memory of the engine', memoryText(each.memoryOf('engine', bounds.memory))],
    ...exitRows(cast.exits),
  ]
  const shortfalls = stormShortfalls(run, each, { leastFaultsPerMinute })
  return { faults: each.faults, rows, shortfalls, violations: trace.violations }
}

/** Waits until the log holds everything; false, and told, when it took too long. */
const catchUp = async ({ run: { trace, dir }, world, kafka, names }: Chaos): Promise<boolean> => {
  const end = await endOfFlow({
    ...{ engine: world.engine, folder: join(dir, 'engine'), kafka, topic: names.topics.log },
    withinMs: bounds.catchUpMs,
  })
  if (end.kind === 'reached') return true
  trace.violate(`${end.problem}; ${world.terms} terms`, { shown: 'alone' })
  return false
}

const checkLog = async ({ run: { trace, dir, say }, world, kafka, names }: Chaos): Promise<LogCheck> => {
  say('the log is held against the journal')
  const last = new Map<string, bigint>()
  const check = await holdLogToJournal({
    ...{ kafka, topic: names.topics.log, folder: join(dir, 'engine'), trace },
    onRecord: at => void last.set(sessionKey(at), at.seq),
  })
  for (const [session, { seq }] of world.acks.highest)
    if (seq > (last.get(session) ?? -1n))
      trace.violate(
        `session ${session} seq ${seq} was acknowledged, the log ends at ${last.get(session) ?? 'nothing'}`,
        { shown: 'alone' },
      )
  return check
}
