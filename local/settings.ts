import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import { SetupError } from './setup-error.ts'

/** The servers of a stack, in the order in which they are told to a person. */
export const SERVER_NAMES = ['kafka', 'cassandra', 'starrocks'] as const
export type ServerName = (typeof SERVER_NAMES)[number]

/** The variable that fixes each port of each server. A port that no variable fixes is chosen. */
export const PORT_VARIABLES: Record<ServerName, Record<string, string>> = {
  kafka: {
    client: 'KAFKA_PORT',
    controller: 'KAFKA_CONTROLLER_PORT',
    proxied: 'KAFKA_PROXIED_PORT',
    proxy: 'KAFKA_PROXY_PORT',
  },
  cassandra: { cql: 'CASSANDRA_PORT', storage: 'CASSANDRA_STORAGE_PORT' },
  starrocks: {
    feHttp: 'STARROCKS_FE_HTTP_PORT',
    beHttp: 'STARROCKS_BE_HTTP_PORT',
    mysql: 'STARROCKS_MYSQL_PORT',
    admin: 'STARROCKS_ADMIN_PORT',
  },
}

/**
 * Ports that a server only names, where it does not listen: the broker tells the clients of its listener for proxies to
 * come to `proxy`, and whoever puts a proxy in front of it listens there. It may be in use while the broker starts.
 */
export const NAMED_ONLY: ReadonlySet<string> = new Set(['proxy'])

/** The variable of each number that a server is started with, and what it is when nobody says. */
export const SERVER_SETTINGS: Record<ServerName, Record<string, { variable: string; fallback: number }>> = {
  kafka: {
    heapMb: { variable: 'KAFKA_HEAP_MB', fallback: 384 },
    // 1: one of many JVMs on a small machine.
    quickJit: { variable: 'KAFKA_QUICK_JIT', fallback: 0 },
  },
  cassandra: {
    heapMb: { variable: 'CASSANDRA_HEAP_MB', fallback: 512 },
    nodes: { variable: 'CASSANDRA_NODES', fallback: 1 },
    commitlogSyncPeriodMs: { variable: 'CASSANDRA_COMMITLOG_SYNC_PERIOD_MS', fallback: 1000 },
  },
  starrocks: {},
}

export interface Settings {
  /** `local`: processes of this machine. `docker`: the images of docker-compose.yml. */
  readonly kind: 'local' | 'docker'
  /** Everything that one stack writes; two stacks with different folders share nothing but the jars. */
  readonly dataDir: string
  readonly cacheDir: string
  /** Only what the environment fixes. */
  readonly ports: Record<ServerName, Record<string, number>>
  /** Only what the environment sets. */
  readonly server: Record<ServerName, Record<string, number>>
}

export type Environment = Readonly<Record<string, string | undefined>>

const CLONE = resolve(import.meta.dirname, '..')

function whole(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d+$/, message)
    .transform(Number)
    .refine(n => n >= least && n <= most, message)
    .optional()
}

const RANGES: Record<string, readonly [number, number]> = {
  KAFKA_HEAP_MB: [128, 65_536],
  KAFKA_QUICK_JIT: [0, 1],
  CASSANDRA_HEAP_MB: [256, 65_536],
  CASSANDRA_NODES: [1, 3],
  CASSANDRA_COMMITLOG_SYNC_PERIOD_MS: [1, 60_000],
}

function environmentSchema() {
  const numbers: Record<string, ReturnType<typeof whole>> = {}
  for (const ports of Object.values(PORT_VARIABLES)) {
    for (const variable of Object.values(ports)) numbers[variable] = whole(1, 65_535)
  }
  for (const [variable, [least, most]] of Object.entries(RANGES)) numbers[variable] = whole(least, most)
  return z.object({ ...numbers, STACK: z.enum(['local', 'docker'], 'must be local or docker').default('local') })
}

/**
 * The settings of the local stack, from the environment. An empty variable counts as unset.
 * @throws SetupError that lists every unreadable variable
 */
export function settingsFrom(env: Environment): Settings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = environmentSchema().safeParse(given)
  if (!parsed.success) {
    const lines = parsed.error.issues.map(issue => {
      const variable = issue.path.join('.')
      return `  ${variable}='${given[variable]}': ${issue.message}`
    })
    throw new SetupError(`Unreadable settings of the local stack:\n${lines.join('\n')}`)
  }
  const values = parsed.data as Record<string, unknown>
  const set = (variables: Record<string, string>) => {
    const found: Record<string, number> = {}
    for (const [name, variable] of Object.entries(variables)) {
      const value = values[variable]
      if (typeof value === 'number') found[name] = value
    }
    return found
  }
  const perServer = (variables: (name: ServerName) => Record<string, string>) => ({
    kafka: set(variables('kafka')),
    cassandra: set(variables('cassandra')),
    starrocks: set(variables('starrocks')),
  })
  const settings: Settings = {
    kind: parsed.data.STACK,
    dataDir: inClone(given['SETTLE_DATA'] ?? '.data'),
    cacheDir: inClone(given['SETTLE_CACHE'] ?? join(homedir(), '.cache', 'settle')),
    ports: perServer(name => PORT_VARIABLES[name]),
    server: perServer(name =>
      Object.fromEntries(Object.entries(SERVER_SETTINGS[name]).map(([key, { variable }]) => [key, variable])),
    ),
  }
  refusePortTwice(settings)
  return settings
}

function inClone(path: string): string {
  return isAbsolute(path) ? path : join(CLONE, path)
}

function refusePortTwice(settings: Settings): void {
  const users = new Map<number, string>()
  for (const server of SERVER_NAMES) {
    for (const [name, port] of Object.entries(settings.ports[server])) {
      const variable = PORT_VARIABLES[server][name] ?? name
      const other = users.get(port)
      if (other !== undefined) {
        throw new SetupError(`Port ${port} is asked for twice, by ${other} and by ${variable}: give each its own.`)
      }
      users.set(port, variable)
    }
  }
}
