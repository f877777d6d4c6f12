import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { type Environment, parseSettings, setting } from '../../runtime/settings.ts'

const targets = ['bridge', 'settle', 'sink'] as const

export type ChaosSettings = {
  readonly target: (typeof targets)[number]
  readonly durationMs: number
  readonly seed: bigint
  /** Outputs a second that the run must reach on average, over all its faults: what a small machine carries. */
  readonly rate: number
}

/** Around a sink or settle stand servers and a dozen processes; the bridge has the machine almost to itself. */
const rates: Readonly<Record<ChaosSettings['target'], number>> = { bridge: 5000, settle: 30, sink: 40 }

const variables = {
  TARGET: z.enum(targets, `must be one of ${targets.join(', ')}`).default('bridge'),
  DURATION_S: z
    .string()
    .default('120')
    .pipe(setting.integer({ min: 10, max: 86_400 })),
  SEED: z
    .string()
    .regex(/^\d{1,18}$/, 'must be a whole number of up to 18 digits')
    .optional(),
  RATE: setting.integer({ min: 1, max: 100_000 }).optional(),
}

/** Without a SEED one is drawn. @throws Stop `settings` that lists every problem */
export const chaosSettings = (env: Environment): ChaosSettings => {
  const { TARGET, DURATION_S, SEED, RATE } = parseSettings(variables, env)
  return {
    target: TARGET,
    durationMs: DURATION_S * 1000,
    seed: SEED === undefined ? BigInt(randomInt(1, 1_000_000)) : BigInt(SEED),
    rate: RATE ?? rates[TARGET],
  }
}
