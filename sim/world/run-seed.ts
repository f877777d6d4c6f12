import { checkEngine } from './checks/check-engine.ts'
import { checkStores } from './checks/check-stores.ts'
import { Drain } from './drain.ts'
import { Operator } from './operator.ts'
import type { Sometimes } from './sometimes.ts'
import { Storm } from './storm.ts'
import type { TraceLine } from './trace.ts'
import { type Violation, World } from './world.ts'

export type SeedResult = {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly reached: ReadonlyMap<Sometimes, number>
  readonly faults: ReadonlyMap<string, number>
  readonly outputs: number
  readonly virtualMs: number
  readonly turns: number
  /** Equal for two runs of one seed. */
  readonly hash: string
  readonly lines: readonly TraceLine[]
}

/** Late writes and held-up requests have all arrived after this long. */
const settlingMs = 10_000
/** What was traded must have gone all the way this long after everything works again. */
const drainMs = 120_000
const stopMs = 40_000

/** One seed from its first moment to its last check. Nothing but the seed decides what happens. */
export const runSeed = async (seed: number): Promise<SeedResult> => {
  const world = new World(seed)
  const unhandled = (error: unknown): void =>
    world.violate('no service has a bug', `a promise was rejected unheard: ${errorText(error)}`)
  process.on('unhandledRejection', unhandled)
  try {
    await live(world)
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const { violations, reached, faults, engine, timeline, trace } = world
  return {
    seed,
    violations,
    reached,
    faults,
    outputs: Number(engine.sent),
    virtualMs: timeline.monotonicMs(),
    turns: timeline.turns,
    hash: trace.hash,
    lines: trace.lines,
  }
}

const live = async (world: World): Promise<void> => {
  const { timeline, fleet, weather, engine } = world
  const isBroken = (): boolean => world.violations.length > 0
  const operator = new Operator(world)
  operator.run().catch((error: unknown) => world.violate('the world has no bug', errorText(error)))
  const storm = new Storm(world)
  fleet.launch()
  storm.begin()
  if (await timeline.pass(weather.stormMs, isBroken)) return
  storm.end()
  if (await timeline.pass(settlingMs, isBroken)) return
  // Whose versions were skipped shows only by the next one.
  for (const { user, asset } of engine.truth.accounts()) engine.deposit(user, asset, 1n, 'told')
  const drain = new Drain(world, operator)
  const nextLook = everySo(timeline.monotonicMs(), 250)
  const isDrained = (): boolean => isBroken() || (nextLook(timeline.monotonicMs()) && drain.problem() === null)
  if (!(await timeline.pass(drainMs, isDrained))) return world.violate('everything is drained', String(drain.problem()))
  if (isBroken()) return
  const { barrier } = drain
  for (const process of fleet.all) process.retire()
  const areGone = (): boolean => fleet.all.every(({ life }) => life === null)
  if (!(await timeline.pass(stopMs, areGone))) world.violate('services end when asked', 'not all of them did')
  if (isBroken()) return
  let checks: 'under way' | 'over' = 'under way'
  checkEngine(world)
  checkStores(world, barrier)
    .catch((error: unknown) => world.violate('the world has no bug', errorText(error)))
    .finally(() => (checks = 'over'))
  await timeline.pass(600_000, () => checks === 'over')
  if (checks === 'under way') world.violate('the world has no bug', 'the checks did not end')
}

/** True at most once in so many ms: for conditions that cost more than the event between two looks. */
const everySo = (nowMs: number, periodMs: number): ((nowMs: number) => boolean) => {
  let nextMs = nowMs
  return now => {
    if (now < nextMs) return false
    nextMs = now + periodMs
    return true
  }
}

const errorText = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)
