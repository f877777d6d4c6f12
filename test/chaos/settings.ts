import { randomInt } from 'node:crypto'
import { z } from 'zod'

const targets = ['bridge', 'settle'] as const

export type ChaosSettings = {
  readonly target: (typeof targets)[number]
  readonly durationMs: number
  readonly seed: bigint
  /** Outputs a second that the run must reach on average, over all its faults: what a small machine carries. */
  readonly rate: number
}

/** Behind settle stand three stores and a dozen processes; the bridge has the machine almost to itself. */
const rates: Readonly<Record<ChaosSettings['target'], number>> = { bridge: 5000, settle: 200 }

/** What the run was told can't be done; the message names each variable, its value and what it may be. */
export class ChaosSettingsError extends Error {
  override readonly name = 'ChaosSettingsError'
}

const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,10}$/, message)
    .transform(Number)
    .refine(value => value >= least && value <= most, message)
}

const variables = z.object({
  TARGET: z.enum(targets, `must be one of ${targets.join(', ')}`).default('bridge'),
  DURATION_S: whole(10, 86_400).prefault('120'),
  SEED: z
    .string()
    .regex(/^\d{1,18}$/, 'must be a whole number of up to 18 digits')
    .optional(),
  RATE: whole(1, 100_000).optional(),
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
    rate: RATE ?? rates[TARGET],
  }
}
