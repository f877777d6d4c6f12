import { type Environment, parseSettings, setting } from '../../runtime/settings.ts'

export type SimSettings = {
  readonly first: number
  readonly count: number
  readonly jobs: number
  /** Replays one seed and shows its whole trace. */
  readonly shows: 'summary' | 'trace'
}

const variables = {
  SEED: setting.integer({ min: 1, max: 2_000_000_000 }).optional(),
  SEEDS: setting.integer({ min: 1, max: 10_000_000 }).optional(),
  JOBS: setting.integer({ min: 1, max: 256 }).optional(),
}

/** SEED alone replays that seed; SEEDS runs so many, from SEED or from 1. @throws Stop `settings` */
export const simSettings = (env: Environment): SimSettings => {
  const { SEED, SEEDS, JOBS } = parseSettings(variables, env)
  const isReplay = SEED !== undefined && SEEDS === undefined
  return {
    first: SEED ?? 1,
    count: isReplay ? 1 : (SEEDS ?? 1000),
    jobs: JOBS ?? 2,
    shows: isReplay ? 'trace' : 'summary',
  }
}
