import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { SERVER_NAMES } from './settings.ts'
import { SetupError } from './setup-error.ts'

const serverRecord = z.object({
  /** `kafka`, `cassandra-1`, `starrocks`. */
  id: z.string(),
  server: z.enum(SERVER_NAMES),
  /** Which node of its kind: 1, 2, 3. */
  node: z.number(),
  address: z.string(),
  ports: z.record(z.string(), z.number()),
  settings: z.record(z.string(), z.number()),
  dir: z.string(),
  logFile: z.string(),
  /** null: stopped on purpose. */
  process: z.object({ pid: z.number(), birth: z.string() }).nullable(),
})

const services = z.object({
  kafka: z
    .object({
      brokers: z.array(z.string()),
      /** A second listener, for tests that put a proxy between: they forward to `listen` and listen at `advertised`. */
      proxied: z.object({ listen: z.string(), advertised: z.string() }),
    })
    .optional(),
  cassandra: z.object({ contactPoints: z.array(z.string()), port: z.number(), localDataCenter: z.string() }).optional(),
  starrocks: z
    .object({
      /** http://host:port of the FE. */
      feHttp: z.string(),
      /** host:port of each BE that a redirect may name. */
      beHosts: z.array(z.string()),
      mysqlHost: z.string(),
      mysqlPort: z.number(),
      user: z.string(),
      password: z.string(),
      /** http://host:port where the stand-in takes faults to inject; the real one has none. */
      admin: z.string().optional(),
    })
    .optional(),
})

const stateFile = z.object({
  version: z.literal(1),
  kind: z.enum(['local', 'docker']),
  dataDir: z.string(),
  servers: z.array(serverRecord),
  /** Where the services find the servers. */
  services,
})

export type ServerRecord = z.infer<typeof serverRecord>
/** Where the services find each server. */
export type Services = { [Name in keyof z.infer<typeof services>]-?: NonNullable<z.infer<typeof services>[Name]> }
export type StateFile = z.infer<typeof stateFile>

export function stateFilePath(dataDir: string): string {
  return join(dataDir, 'stack.json')
}

/**
 * What `up` wrote; undefined when no stack was ever started here.
 * @throws SetupError when the file is not one of ours
 */
export function readState(dataDir: string): StateFile | undefined {
  const path = stateFilePath(dataDir)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return stateFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new SetupError(`${path} cannot be read as the state of a stack: end its servers and remove ${dataDir}.`, {
      cause,
    })
  }
}

/** Whole or not at all: a reader never sees half a file. */
export function writeState(state: StateFile): void {
  mkdirSync(state.dataDir, { recursive: true })
  const path = stateFilePath(state.dataDir)
  const half = `${path}.${process.pid}`
  writeFileSync(half, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(half, path)
}
