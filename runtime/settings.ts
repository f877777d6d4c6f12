import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { cqlLimits } from './cql/limits.ts'
import { streamName } from './names.ts'
import { Stop } from './stop.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Settings parse from strings, because the environment has nothing else. */
export const setting = {
  text: z.string().min(1, 'must not be empty'),
  /** A whole number, with its bounds. */
  integer: ({ min, max }: { readonly min: number; readonly max: number }) =>
    z
      .string()
      .regex(/^-?\d+$/, `must be a whole number from ${min} to ${max}`)
      .transform(Number)
      .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`)),
  /** Names separated by commas, at least one. */
  list: z
    .string()
    .transform(text =>
      text
        .split(',')
        .map(part => part.trim())
        .filter(part => part !== ''),
    )
    .pipe(z.array(z.string()).min(1, 'must name at least one')),
  /** host:port,host:port */
  addresses: z
    .string()
    .regex(/^[^,\s:]+:\d{1,5}(,[^,\s:]+:\d{1,5})*$/, 'must be host:port, several separated by commas')
    .transform(text => text.split(',')),
}

/** The name of a PEM file; parses to what is in it. */
const pemFile = z.string().transform((path, context) => {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.includes('-----BEGIN ')) return text
    context.addIssue({ code: 'custom', message: 'must be a PEM file, with a line -----BEGIN …' })
  } catch (error) {
    context.addIssue({ code: 'custom', message: `cannot be read: ${(error as NodeJS.ErrnoException).code}` })
  }
  return z.NEVER
})

const port = setting.integer({ min: 0, max: 65_535 })

/** What every service is told. */
export const commonSettings = {
  STREAM: streamName,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Address and port of /metrics and /healthz; port 0 takes a free one, which is logged. */
  HTTP_HOST: setting.text.default('127.0.0.1'),
  HTTP_PORT: z.string().default('0').pipe(port),
  /** How long a stop may take before the process ends anyway. */
  DRAIN_TIMEOUT_MS: z
    .string()
    .default('20000')
    .pipe(setting.integer({ min: 100, max: 600_000 })),
  /** How long a service that must not go on still shows why at /metrics and /healthz, before its process ends. */
  STOP_LINGER_MS: z
    .string()
    .default('15000')
    .pipe(setting.integer({ min: 0, max: 600_000 })),
}

export const kafkaSettings = {
  KAFKA_BROKERS: setting.addresses,
  KAFKA_SESSION_TIMEOUT_MS: z
    .string()
    .default('6000')
    .pipe(setting.integer({ min: 1000, max: 300_000 })),
  KAFKA_HEARTBEAT_INTERVAL_MS: z
    .string()
    .default('500')
    .pipe(setting.integer({ min: 50, max: 60_000 })),
  KAFKA_TLS: z.enum(['off', 'on']).default('off'),
  /** Who may have signed the brokers' certificates; without it, the authorities that Node knows. */
  KAFKA_TLS_CA_FILE: pemFile.optional(),
  /** Our own certificate and its key, for brokers that ask for one. */
  KAFKA_TLS_CERT_FILE: pemFile.optional(),
  KAFKA_TLS_KEY_FILE: pemFile.optional(),
  KAFKA_SASL: z.enum(['off', 'plain', 'scram-sha-256', 'scram-sha-512']).default('off'),
  KAFKA_SASL_USERNAME: setting.text.optional(),
  KAFKA_SASL_PASSWORD: setting.text.optional(),
  /** Whether a name and password may go to a broker beyond loopback without TLS. */
  KAFKA_SASL_WITHOUT_TLS: z.enum(['refused', 'allowed']).default('refused'),
}
export type KafkaSettings = z.output<z.ZodObject<typeof kafkaSettings>>

export const cqlSettings = {
  CQL_CONTACT_POINTS: setting.addresses,
  CQL_DATACENTER: setting.text.default('datacenter1'),
  CQL_USERNAME: z.string().default(''),
  CQL_PASSWORD: z.string().default(''),
  /** How long a start waits for a first node to answer. */
  CQL_OPEN_TIMEOUT_MS: z
    .string()
    .default(`${cqlLimits.openForMs}`)
    .pipe(setting.integer({ min: 0, max: 600_000 })),
}

/**
 * Parses a service's settings from the environment, once; unset and empty mean the default.
 * @throws Stop `settings` that lists every problem together, each with its name, value and rule.
 */
export const parseSettings = <Shape extends z.ZodRawShape>(
  shape: Shape,
  env: Environment,
): z.output<z.ZodObject<Shape>> => {
  const given = Object.fromEntries(Object.keys(shape).map(name => [name, env[name] === '' ? undefined : env[name]]))
  const parsed = z.object(shape).safeParse(given)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(issue => {
    const name = String(issue.path[0])
    const value = env[name]
    return value === undefined || value === ''
      ? `${name} is not set`
      : `${name}=${shown(name, value)}: ${issue.message}`
  })
  throw settingsProblem(problems)
}

/** For relations between settings that parse one by one: each entry is a problem in words. */
export const settingsProblem = (problems: readonly string[]): Stop =>
  new Stop({
    code: 'settings',
    reason: 'usage',
    message: `${problems.length === 1 ? 'a setting is' : `${problems.length} settings are`} wrong:\n  ${problems.join('\n  ')}`,
    context: { problems },
  })

const shown = (name: string, value: string): string => (/PASSWORD|SECRET/.test(name) ? '…' : JSON.stringify(value))
