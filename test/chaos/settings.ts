import { randomInt } from 'node:crypto'
import { z } from 'zod'

const targets = ['bridge'] as const

export type ChaosSettings = {
  readonly target: (typeof targets)[number]
  readonly durationMs: number
  readonly seed: bigint
  /** Outputs a second that the run must reach on average, over all its faults. */
  readonly rate: number
}

/** What the run was told can't be done; the message names each variable, its value and what it may be. */
export class ChaosSettingsError extends Error {
  override readonly name = 'ChaosSettingsError'
}

const whole = (least: number, most: number, fallback: string) => {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,10}$/, message)
    .transform(Number)
    .refine(value => value >= least && value <= most, message)
    .prefault(fallback)
}

const variables = z.object({
  TARGET: z.enum(targets, `must be one of ${targets.join(', ')}`).default('bridge'),
  DURATION_S: whole(10, 86_400, '120'),
  SEED: z
    .string()
    .regex(/^\d{1,18}$/, 'must be a whole number of up to 18 digits')
    .optional(),
  RATE: whole(1, 100_000, '5000'),
})

/** Without a SEED one is drawn. @throws ChaosSettingsError that lists every problem */
export const chaosSettings = (env: Readonly<Record<string, string | undefined>>): ChaosSettings => {
  const given = Object.fromEntries(
    Object.keys(variables.shape).map(name => [name, env[name] === '' ? undefined : env[name]]),
  )
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => {
      const name = path.join('.')
      return `  ${name}=${given[name]}: ${message}`
    })
    throw new ChaosSettingsError(`the chaos run can't be made like this:\n${problems.join('\n')}`)
  }
  const { TARGET, DURATION_S, SEED, RATE } = parsed.data
  return {
    target: TARGET,
    durationMs: DURATION_S * 1000,
    seed: SEED === undefined ? BigInt(randomInt(1, 1_000_000)) : BigInt(SEED),
    rate: RATE,
  }
}
