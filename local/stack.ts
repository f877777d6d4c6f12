import { existsSync, rmSync } from 'node:fs'
import { startLocal, stopLocal, runs, serves } from './local-stack.ts'
import { type Progress, silent } from './progress.ts'
import { type Environment, SERVER_NAMES, type ServerName, type Settings, settingsFrom } from './settings.ts'
import { SetupError } from './setup-error.ts'
import { lockStack } from './stack-lock.ts'
import { readState, type ServerRecord, type Services, type StateFile, stateFilePath } from './state-file.ts'

export { serviceEnvironment } from './services.ts'
export { SetupError } from './setup-error.ts'
export type { Environment, ServerName } from './settings.ts'
export type { ServerRecord, Services } from './state-file.ts'

const LOCK_WAIT_MS = 5 * 60_000

/** Where everything of a stack is; `Names` are the servers that are known to be up. */
export type Stack<Names extends ServerName = ServerName> = Pick<Services, Names> & {
  readonly kind: 'local' | 'docker'
  readonly dataDir: string
  /** pids, ports and logs; empty with docker. */
  readonly servers: readonly ServerRecord[]
}

/** Every function takes its settings from here; SETTLE_DATA chooses the stack. The process's environment by default. */
export interface StackOptions {
  readonly env?: Environment
}

/**
 * Starts the servers that do not run yet and waits until all of them serve. Servers outlive the caller.
 * @returns the stack, with the ids of what was started in `started` (empty: all of it was up)
 * @throws SetupError
 */
export async function up<Names extends ServerName = ServerName>(
  options: StackOptions & { servers?: readonly Names[]; progress?: Progress } = {},
): Promise<Stack<Names> & { readonly started: readonly string[] }> {
  const env = options.env ?? process.env
  const settings = settingsFrom(env)
  const wanted = options.servers ?? (SERVER_NAMES as readonly ServerName[] as readonly Names[])
  const progress = options.progress ?? silent
  await using _lock = await lockStack(settings.dataDir, { waitMs: LOCK_WAIT_MS })
  const state = readState(settings.dataDir) ?? emptyState(settings)
  try {
    const started = await startLocal({ settings, env, state, progress }, wanted)
    return { ...stackOf(state, wanted), started }
  } finally {
    progress.end()
  }
}

/** Ends exactly what `up` started; nothing when nothing runs. Returns the ids of what ran. */
export async function down(options: StackOptions = {}): Promise<string[]> {
  const settings = settingsFrom(options.env ?? process.env)
  await using _lock = await lockStack(settings.dataDir, { waitMs: LOCK_WAIT_MS })
  const state = readState(settings.dataDir)
  return state === undefined ? [] : stopLocal(state, { with: 'SIGTERM' })
}

/** `down`, then removes the data folder. The jars stay. Returns the folder. */
export async function clean(options: StackOptions = {}): Promise<string> {
  const { dataDir } = settingsFrom(options.env ?? process.env)
  refuseStrangeFolder(dataDir)
  await down(options)
  rmSync(dataDir, { recursive: true, force: true })
  return dataDir
}

/** Each server of the stack, and whether it runs and answers now. */
export async function status(
  options: StackOptions = {},
): Promise<Array<ServerRecord & { state: 'serving' | 'silent' | 'died' | 'stopped' }>> {
  const state = readState(settingsFrom(options.env ?? process.env).dataDir)
  return Promise.all(
    (state?.servers ?? []).map(async record => {
      if (record.process === null) return { ...record, state: 'stopped' as const }
      if (!runs(record)) return { ...record, state: 'died' as const }
      return { ...record, state: (await serves(record)) ? ('serving' as const) : ('silent' as const) }
    }),
  )
}

/**
 * Where the servers are, from the file that `up` wrote.
 * @throws SetupError when one of them was never started, or was stopped
 */
export function stackFromFile<Names extends ServerName = ServerName>(
  options: StackOptions & { servers?: readonly Names[] } = {},
): Stack<Names> {
  const { dataDir } = settingsFrom(options.env ?? process.env)
  const wanted = options.servers ?? (SERVER_NAMES as readonly ServerName[] as readonly Names[])
  const state = readState(dataDir)
  if (state === undefined) throw new SetupError(`No stack was started in ${dataDir}: run \`make up\`.`)
  return stackOf(state, wanted)
}

/**
 * Ends one server of the stack, as `down` would or by SIGKILL; `up` or `startServer` starts it again.
 * @throws SetupError when there is no such server
 */
export async function stopServer(
  id: string,
  options: StackOptions & { with?: 'SIGTERM' | 'SIGKILL' } = {},
): Promise<void> {
  const { dataDir } = settingsFrom(options.env ?? process.env)
  await using _lock = await lockStack(dataDir, { waitMs: LOCK_WAIT_MS })
  const state = readState(dataDir)
  if (state === undefined) throw new SetupError(`No stack was started in ${dataDir}: run \`make up\`.`)
  recordOf(state, id)
  await stopLocal(state, { with: options.with ?? 'SIGTERM', ids: [id] })
}

function recordOf(state: StateFile, id: string): ServerRecord {
  const record = state.servers.find(server => server.id === id)
  if (record !== undefined) return record
  throw new SetupError(
    `The stack in ${state.dataDir} has no server '${id}', it has ${state.servers.map(server => server.id).join(', ')}.`,
  )
}

function stackOf<Names extends ServerName>(state: StateFile, wanted: readonly Names[]): Stack<Names> {
  for (const name of wanted) {
    const stopped = state.servers.find(record => record.server === name && record.process === null)
    if (state.services[name] === undefined || stopped !== undefined) {
      throw new SetupError(`${name} of the stack in ${state.dataDir} is not up: run \`make up\`.`)
    }
  }
  const { kind, dataDir, servers } = state
  return { ...(state.services as Pick<Services, Names>), kind, dataDir, servers }
}

function emptyState(settings: Settings): StateFile {
  return { version: 1, kind: settings.kind, dataDir: settings.dataDir, servers: [], services: {} }
}

/** A mistyped SETTLE_DATA must not cost anybody their files. */
function refuseStrangeFolder(dataDir: string): void {
  if (!existsSync(dataDir) || existsSync(stateFilePath(dataDir))) return
  throw new SetupError(`${dataDir} (SETTLE_DATA) holds no stack.json, so it is no stack's folder: remove it by hand.`)
}
