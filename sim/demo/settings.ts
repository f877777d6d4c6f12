import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'

/** What `make demo` can be told. */
export type DemoSettings = {
  /** null: all that the flow file holds. */
  readonly orders: number | null
  readonly users: number
  readonly seed: string
  /** A file in the LOBSTER message format; null: random trading. */
  readonly flowFile: string | null
  readonly partitions: number
}

/** What the demo was told cannot be done; the message names each variable, its value and what it may be. */
export class DemoSettingsError extends Error {
  override readonly name = 'DemoSettingsError'
}

const whole = (least: number, most: number, fallback?: string) => {
  const message = `must be a whole number from ${least} to ${most}`
  const text = z
    .string()
    .regex(/^\d{1,10}$/, message)
    .refine(value => Number(value) >= least && Number(value) <= most, message)
    .transform(Number)
  return fallback === undefined ? text.optional() : text.prefault(fallback)
}

const variables = z.object({
  ORDERS: whole(1, 10_000_000),
  USERS: whole(2, 1_000_000, '500'),
  SEED: z
    .string()
    .regex(/^\d{1,18}$/, 'must be a whole number of up to 18 digits')
    .default('1'),
  FLOW: z
    .string()
    .refine(path => existsSync(path), 'is no file')
    .optional(),
  PARTITIONS: whole(1, 64, '12'),
})

const defaultOrders = 20_000

/** @throws DemoSettingsError that lists every problem */
export const demoSettings = (env: Readonly<Record<string, string | undefined>>): DemoSettings => {
  const given = Object.fromEntries(
    Object.keys(variables.shape).map(name => [name, env[name] === '' ? undefined : env[name]]),
  )
  const parsed = variables.safeParse(given)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(issue => {
      const name = issue.path.join('.')
      return `  ${name}=${given[name]}: ${issue.message}`
    })
    throw new DemoSettingsError(`the demo can't be run like this:\n${problems.join('\n')}`)
  }
  const { ORDERS, USERS, SEED, FLOW, PARTITIONS } = parsed.data
  return {
    orders: ORDERS ?? (FLOW === undefined ? defaultOrders : null),
    users: USERS as number,
    seed: SEED,
    flowFile: FLOW === undefined ? null : resolve(FLOW),
    partitions: PARTITIONS as number,
  }
}
