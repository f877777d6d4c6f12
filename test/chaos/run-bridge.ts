import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { sessionKey } from './acks.ts'
import { type BridgeFault, bridgeMenu, sessionTimeoutMs } from './bridge-faults.ts'
import { BridgeStage } from './bridge-stage.ts'
import type { BridgeWorld } from './bridge-world.ts'
import type { ChaosRun } from './chaos-run.ts'
import { LogCheck } from './check-log.ts'
import { readJournal, readSessions } from './engine-journal.ts'
import { FaultCount } from './fault-count.ts'
import { LogProgress } from './log-progress.ts'
import { csvOf, judgeMemory } from './memory.ts'
import { drawPlan, type Planned } from './plan.ts'
import { askUntil, readLast, readLog } from './read-log.ts'
import type { Report } from './report.ts'

/** Between two faults on average: some are skipped, and 60 a minute must be applied. */
const meanGapMs = 550
const bounds = {
  /** From the start to the first outputs in the log. */
  firstMs: 60_000,
  /** From when all faults are over to the last output in the log: a longer time is a violation. */
  catchUpMs: 60_000,
  lookMs: 500,
  bridgeMemory: { limitMb: 250, riseMb: 50 },
} as const

/** TARGET=bridge: everything from the start of Kafka to the verdict; what it started is ended. */
export const runBridge = async (run: ChaosRun): Promise<Report> => {
  run.say('Kafka starts')
  const stage = await BridgeStage.open(run)
  try {
    return await withinChaos({ run, world: stage.world, kafka: stage.kafka, names: stage.names })
  } finally {
    // A run that failed keeps what it wrote.
    await stage.close({ data: run.trace.violations.length === 0 && !run.signal.aborted ? 'removed' : 'kept' })
  }
}

type Chaos = {
  readonly run: ChaosRun
  readonly world: BridgeWorld
  readonly kafka: KafkaPort
  readonly names: StreamNames
}

const withinChaos = async (chaos: Chaos): Promise<Report> => {
  const { run, world, kafka, names } = chaos
  const { settings, trace, dir } = run
  await firstOutputs(chaos)
  const progress = new LogProgress(() => readLast(kafka, names.topics.log))
  const looks = setInterval(() => {
    world.sampleMemory()
    void progress.look(trace.nowMs)
  }, bounds.lookMs)
  try {
    const startOutputs = world.counts.outputs
    const { faults, chaosMs, endMs, outputs: chaosOutputs } = await underFaults(chaos)
    const caughtUpMs = await calmDown(chaos, faults)
    clearInterval(looks)
    await world.end('SIGTERM')
    const check = await checkLog(chaos)
    await writeFile(join(dir, 'memory.csv'), csvOf(world.samples))
    const memory = judgeMemory(world.samples.bridge, { ...bounds.bridgeMemory, faultsEndMs: endMs })
    for (const problem of memory.problems) trace.violate(`bridge: ${problem}`, { shown: 'alone' })
    return {
      ...{ settings, dir, faults, memory, check, chaosMs, caughtUpMs },
      rates: {
        faultsPerMinute: (faults.applied / chaosMs) * 60_000,
        engine: (chaosOutputs / chaosMs) * 1000,
        log: ((world.counts.outputs - startOutputs) / (chaosMs + (caughtUpMs ?? 0))) * 1000,
      },
      engineMemory: judgeMemory(world.samples.engine, { limitMb: Infinity, riseMb: Infinity, faultsEndMs: endMs }),
      counts: world.counts,
      acks: world.acks.count,
      exits: world.exits,
      longestStallMs: progress.longestStallMs,
      violations: trace.violations,
    }
  } finally {
    clearInterval(looks)
  }
}

/** Faults begin when everything works. */
const firstOutputs = async ({ run, world, kafka, names }: Chaos): Promise<void> => {
  run.say('engine and bridges start')
  world.start()
  const first = await askUntil(() => readLast(kafka, names.topics.log), {
    isWanted: last => last !== null && last.at.seq > 0n,
    withinMs: bounds.firstMs,
    everyMs: 100,
  })
  if (!first) throw new Error(`no output reached the log within ${bounds.firstMs} ms of the start`)
}

type Faulted = {
  readonly faults: FaultCount
  readonly chaosMs: number
  readonly endMs: number
  /** That the engine made meanwhile. */
  readonly outputs: number
}

const underFaults = async ({ run: { settings, trace, say, signal }, world }: Chaos): Promise<Faulted> => {
  const { seed, durationMs } = settings
  const faults = new FaultCount()
  const plan = drawPlan({ seed, durationMs, meanGapMs, menu: bridgeMenu })
  const [startMs, startOutputs] = [trace.nowMs, world.counts.outputs]
  say(`${plan.length} faults in ${durationMs / 1000} s`)
  await carryOut({ plan, world, faults, durationMs, signal })
  const endMs = trace.nowMs
  return { faults, endMs, chaosMs: endMs - startMs, outputs: world.counts.outputs - startOutputs }
}

/** How long after the last fault was over the log held everything; null when it took too long. */
const calmDown = async (chaos: Chaos, faults: FaultCount): Promise<number | null> => {
  const { trace, say } = chaos.run
  say('calm: what is behind catches up')
  trace.note('calm')
  chaos.world.calm()
  await faults.settled()
  const calmMs = trace.nowMs
  const outputs = await Promise.race([chaos.world.endFlow(), delay(bounds.catchUpMs, null, { ref: false })])
  if (outputs !== null) return catchUp({ ...chaos, outputs, calmMs })
  trace.violate(`the engine did not come up without a flow within ${bounds.catchUpMs / 1000} s`, { shown: 'alone' })
  return null
}

const carryOut = async ({
  plan,
  world,
  faults,
  durationMs,
  signal,
}: {
  readonly plan: readonly Planned<BridgeFault>[]
  readonly world: BridgeWorld
  readonly faults: FaultCount
  readonly durationMs: number
  readonly signal: AbortSignal
}): Promise<void> => {
  const startMs = performance.now()
  const until = (atMs: number): Promise<unknown> =>
    delay(Math.max(0, startMs + atMs - performance.now()), undefined, { signal })
  for (const { atMs, fault } of plan) {
    await until(atMs)
    faults.follow(kindOf(fault), world.apply(fault))
    faults.throwFailure()
  }
  await until(durationMs)
}

const kindOf = (fault: BridgeFault): string => {
  switch (fault.kind) {
    case 'cut':
      return `${fault.leg} ${fault.fault.kind}`
    case 'bridge-freeze':
      return fault.forMs > sessionTimeoutMs ? 'bridge-freeze past its session' : fault.kind
    default:
      return fault.kind
  }
}

const catchUp = async ({
  run: { trace, dir },
  world,
  kafka,
  names,
  outputs,
  calmMs,
}: Chaos & { readonly outputs: number; readonly calmMs: number }): Promise<number | null> => {
  const sessions = await readSessions(join(dir, 'engine'))
  const last = sessions.findLast(({ first }) => first <= BigInt(outputs))
  if (!last) throw new Error(`output ${outputs} belongs to no session`)
  const seq = BigInt(outputs) - last.first + 1n
  const found = await askUntil(() => readLast(kafka, names.topics.log), {
    isWanted: record =>
      record !== null && (record.at.epoch > last.epoch || (record.at.epoch === last.epoch && record.at.seq >= seq)),
    withinMs: bounds.catchUpMs - (trace.nowMs - calmMs),
    everyMs: 50,
  })
  if (found) return trace.nowMs - calmMs
  trace.violate(
    `no progress: ${bounds.catchUpMs / 1000} s after the last fault the log did not hold output ${outputs}, session ${last.epoch}/${last.random} seq ${seq}; ${world.counts.terms} terms`,
    { shown: 'alone' },
  )
  return null
}

const checkLog = async ({ run: { trace, dir, say }, world, kafka, names }: Chaos): Promise<LogCheck> => {
  say('the log is held against the journal')
  const check = await LogCheck.open(readJournal(join(dir, 'engine')))
  const last = new Map<string, bigint>()
  for await (const record of readLog(kafka, names.topics.log)) {
    await check.take(record)
    last.set(sessionKey(record.at), record.at.seq)
  }
  await check.end()
  for (const violation of check.violations) trace.violate(`log: ${violation}`, { shown: 'alone' })
  const untold = check.violationCount - check.violations.length
  if (untold > 0) trace.violate(`log: ${untold} more like these`, { shown: 'alone' })
  for (const [session, { seq }] of world.acks.highest)
    if (seq > (last.get(session) ?? -1n))
      trace.violate(
        `session ${session} seq ${seq} was acknowledged, the log ends at ${last.get(session) ?? 'nothing'}`,
        { shown: 'alone' },
      )
  return check
}
