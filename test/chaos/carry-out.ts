import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosRun } from './chaos-run.ts'
import { FaultCount, type FaultOutcome } from './fault-count.ts'
import { drawPlan, type MenuItem } from './plan.ts'

export type Target<F> = {
  readonly menu: readonly MenuItem<F>[]
  readonly meanGapMs: number
  /** Does it, and resolves when it is over. */
  readonly apply: (fault: F) => Promise<FaultOutcome>
  /** As it is counted. */
  readonly kindOf: (fault: F) => string
}

/** Draws the plan of faults and carries it out. Those that last longer are still under way when it resolves. */
export const carryOut = async <F>(
  { settings: { seed, durationMs }, trace, say, signal }: ChaosRun,
  { menu, meanGapMs, apply, kindOf }: Target<F>,
): Promise<FaultCount> => {
  const faults = new FaultCount()
  const plan = drawPlan({ seed, durationMs, meanGapMs, menu })
  say(`${plan.length} faults in ${durationMs / 1000} s`)
  const told = async (fault: F): Promise<FaultOutcome> => {
    trace.note(`fault ${describe(fault)}`)
    const outcome = await apply(fault)
    trace.note(`${outcome === 'applied' ? 'over ' : 'skipped'} ${describe(fault)}`)
    return outcome
  }
  const startMs = performance.now()
  const until = (atMs: number): Promise<unknown> =>
    delay(Math.max(0, startMs + atMs - performance.now()), undefined, { signal })
  for (const { atMs, fault } of plan) {
    await until(atMs)
    faults.follow(kindOf(fault), told(fault))
    faults.throwFailure()
  }
  await until(durationMs)
  return faults
}

const describe = (fault: unknown): string =>
  JSON.stringify(fault).replaceAll(/["{}]/g, '').replace('kind:', '').replaceAll(',', ' ')
