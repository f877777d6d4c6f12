import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { carryOut, type Target } from './carry-out.ts'
import type { Cast } from './cast.ts'
import type { ChaosRun } from './chaos-run.ts'
import type { Engine } from './engine.ts'
import type { FaultCount } from './fault-count.ts'
import { csvOf, judgeMemory, type MemoryBounds, type MemoryVerdict } from './memory.ts'
import { type ReportRow, seconds } from './report.ts'

const lookMs = 500

/** What faults are let loose on. */
export interface World<F> {
  readonly cast: Cast
  readonly engine: Engine
  readonly apply: Target<F>['apply']
  /** No more faults: whoever is frozen goes on, whoever is down comes up. */
  calm(): void
  /** Ends all processes in good order, so that their exit codes count. */
  end(how: 'SIGTERM'): Promise<void>
}

type StormOptions<F> = Omit<Target<F>, 'apply'> & {
  readonly world: World<F>
  /** What is tried once the last fault is over, while the engine still sends. */
  readonly drill?: () => Promise<void>
  /** Ends the flow, and waits until nothing is behind. False, and told, when it took too long. */
  readonly catchUp: () => Promise<boolean>
  readonly onLook?: () => void
}

/** What a run of faults came to. */
export type Storm = {
  readonly faults: FaultCount
  readonly perMinute: number
  /** Outputs a second that the engine made under faults. */
  readonly rate: number
  readonly chaosMs: number
  /** From the end of the last fault; null when it took too long. */
  readonly caughtUpMs: number | null
  readonly memoryOf: (kind: string, bounds: Omit<MemoryBounds, 'faultsEndMs'>) => MemoryVerdict
}

/** Lets the faults loose on a world that works, waits until it has caught up, and ends it. */
export const storm = async <F>(run: ChaosRun, options: StormOptions<F>): Promise<Storm> => {
  const { trace, say, dir } = run
  const { world, menu, meanGapMs, kindOf, drill, catchUp, onLook } = options
  const { cast, engine } = world
  const looks = setInterval(() => {
    cast.sampleMemory()
    onLook?.()
  }, lookMs)
  try {
    const [startMs, startOutputs] = [trace.nowMs, engine.outputs]
    const faults = await carryOut(run, { menu, meanGapMs, apply: fault => world.apply(fault), kindOf })
    const [faultsEndMs, outputs] = [trace.nowMs, engine.outputs - startOutputs]
    const chaosMs = faultsEndMs - startMs
    say('calm: what is behind catches up')
    trace.note('calm')
    world.calm()
    await faults.settled()
    await drill?.()
    const calmMs = trace.nowMs
    const caughtUpMs = (await catchUp()) ? trace.nowMs - calmMs : null
    clearInterval(looks)
    await world.end('SIGTERM')
    await writeFile(join(dir, 'memory.csv'), csvOf(cast.samples))
    return {
      faults,
      perMinute: (faults.applied / chaosMs) * 60_000,
      rate: (outputs / chaosMs) * 1000,
      ...{ chaosMs, caughtUpMs },
      memoryOf: (kind, bounds) => judgeMemory(cast.samplesOf(kind), { ...bounds, faultsEndMs }),
    }
  } finally {
    clearInterval(looks)
  }
}

/** How it went, for whoever reads it. */
export const stormRows = (run: ChaosRun, { engine }: World<never>, each: Storm): readonly ReportRow[] => [
  ['seed', `${run.settings.seed}`],
  ['length', `${seconds(each.chaosMs)} of faults, caught up ${seconds(each.caughtUpMs)} after them`],
  ['faults applied', `${each.faults.applied}, ${each.perMinute.toFixed(0)} a minute`],
  ['outputs of the engine', `${engine.outputs}, ${each.rate.toFixed(0)} a second under faults`],
]

/** What keeps a run from saying anything. */
export const stormShortfalls = (
  { settings }: ChaosRun,
  { perMinute, rate }: Storm,
  { leastFaultsPerMinute }: { readonly leastFaultsPerMinute: number },
): readonly string[] =>
  [
    perMinute >= leastFaultsPerMinute ||
      `${perMinute.toFixed(0)} faults a minute were applied, ${leastFaultsPerMinute} are needed`,
    rate >= settings.rate || `the engine made ${rate.toFixed(0)} outputs a second, RATE asks for ${settings.rate}`,
  ].filter(problem => problem !== true)
