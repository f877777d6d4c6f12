import { z } from 'zod'

export type SimSettings = {
  readonly first: number
  readonly count: number
  readonly jobs: number
  /** Replays one seed and shows its whole trace. */
  readonly shows: 'summary' | 'trace'
}

/** What the run was told can't be done; the message names each variable, its value and what it may be. */
export class SimSettingsError extends Error {
  override readonly name = 'SimSettingsError'
}

const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,10}$/, message)
    .transform(Number)
    .refine(value => value >= least && value <= most, message)
    .optional()
}

const variables = z.object({ SEED: whole(1, 2_000_000_000), SEEDS: whole(1, 10_000_000), JOBS: whole(1, 256) })

/** SEED alone replays that seed; SEEDS runs so many, from SEED or from 1. @throws SimSettingsError */
export const simSettings = (env: Readonly<Record<string, string | undefined>>): SimSettings => {
  const given = Object.fromEntries(
    Object.keys(variables.shape).map(name => [name, env[name] === '' ? undefined : env[name]]),
  )
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => {
      const name = path.join('.')
      return `  ${name}=${given[name]}: ${message}`
    })
    throw new SimSettingsError(`the simulation can't be run like this:\n${problems.join('\n')}`)
  }
  const { SEED, SEEDS, JOBS } = parsed.data
  const isReplay = SEED !== undefined && SEEDS === undefined
  return {
    first: SEED ?? 1,
    count: isReplay ? 1 : (SEEDS ?? 1000),
    jobs: JOBS ?? 2,
    shows: isReplay ? 'trace' : 'summary',
  }
}
