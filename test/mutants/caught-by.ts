import type { Check } from '../../sim/world/checks/check.ts'
import type { Mutant } from './mutant.ts'

/** A break of one of the rules of docs/design.md: which one, and by which check it is noticed. */
export type RuleMutant = Mutant & {
  readonly rule: string
  readonly caughtBy: { readonly check: string }
}

/** A world made from a seed, each of which is a test of its own, and the check of it that finds something. */
export const bySeed = (seed: number, check: Check): RuleMutant['caughtBy'] => ({
  project: 'unit',
  file: 'test/sim/seeds.unit.test.ts',
  test: `seed ${seed}:`,
  check,
})

/** What the simulated world can't see, such as an engine that is wrong: a test of a room's own. */
export const byTest = (file: string, test: string, check: string): RuleMutant['caughtBy'] => ({
  project: 'unit',
  file: `${file}.unit.test.ts`,
  test,
  check,
})
