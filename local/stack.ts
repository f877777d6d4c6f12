import { existsSync, rmSync } from 'node:fs'
import { dockerServices, startDocker, stopDocker } from './docker-stack.ts'
import { runs, serves, startLocal, stopLocal } from './local-stack.ts'
import { type Progress, silent } from './progress.ts'
import { type Environment, SERVER_NAMES, type ServerName, type Settings, settingsFrom } from './settings.ts'
import { freezeProcess, thawProcess } from './server-process.ts'
import { SetupError } from './setup-error.ts'
import { lockStack } from './stack-lock.ts'
import { readState, type ServerRecord, type Services, type StateFile, stateFilePath } from './state-file.ts'

export { serviceEnvironment } from './services.ts'
export { SetupError } from './setup-error.ts'
export type { ServerName } from './settings.ts'
export type { ServerRecord } from './state-file.ts'

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
    refuseOtherKind(state, settings)
    const start = settings.kind === 'docker' ? startDocker : startLocal
    const started = await start({ settings, env, state, progress }, wanted)
    return { ...stackOf(state, wanted), started }
  } finally {
    progress.end()
  }
}

/** Ends exactly what `up` started; nothing when nothing runs. Returns the ids of what ran. */
export async function down(options: StackOptions = {}): Promise<string[]> {
  const env = options.env ?? process.env
  const { dataDir } = settingsFrom(env)
  await using _lock = await lockStack(dataDir, { waitMs: LOCK_WAIT_MS })
  return stopAll(readState(dataDir), { env, volumes: 'kept' })
}

/** The state tells how it was started; the environment of today may say otherwise. */
function stopAll(
  state: StateFile | undefined,
  options: { env: Environment; volumes: 'kept' | 'removed' },
): Promise<string[]> {
  if (state === undefined) return Promise.resolve([])
  return state.kind === 'docker' ? stopDocker(state, options) : stopLocal(state, { with: 'SIGTERM' })
}

/** `down`, then removes the data: the folder, and with docker the volumes. The jars stay. Returns the folder. */
export async function clean(options: StackOptions = {}): Promise<string> {
  const env = options.env ?? process.env
  const { dataDir } = settingsFrom(env)
  refuseStrangeFolder(dataDir)
  await using _lock = await lockStack(dataDir, { waitMs: LOCK_WAIT_MS })
  await stopAll(readState(dataDir), { env, volumes: 'removed' })
  rmSync(dataDir, { recursive: true, force: true })
  return dataDir
}

/** One server of the stack: it answers, it does not, it ended by itself, or it was stopped. */
export interface ServerStatus {
  readonly id: string
  readonly state: 'serving' | 'silent' | 'died' | 'stopped'
  /** Only of a local server. */
  readonly record?: ServerRecord
}

/** Each server of the stack, and whether it runs and answers now. */
export async function status(options: StackOptions = {}): Promise<ServerStatus[]> {
  const env = options.env ?? process.env
  const state = readState(settingsFrom(env).dataDir)
  if (state === undefined) return []
  if (state.kind === 'docker') return dockerServices(state.dataDir, env)
  return Promise.all(
    state.servers.map(async record => {
      if (record.process === null) return { id: record.id, state: 'stopped', record }
      if (!runs(record)) return { id: record.id, state: 'died', record }
      return { id: record.id, state: (await serves(record)) ? 'serving' : 'silent', record }
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
  return stackOf(requireState(dataDir), wanted)
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
  const state = requireState(dataDir)
  recordOf(state, id)
  await stopLocal(state, { with: options.with ?? 'SIGTERM', ids: [id] })
}

/**
 * Starts one server that was stopped or killed again, with the same data at the same ports, and waits until it serves.
 * @throws SetupError when there is no such server, it does not start, or another program took its port
 */
export async function startServer(id: string, options: StackOptions & { progress?: Progress } = {}): Promise<void> {
  await startServers([id], options)
}

/** The same of several of one kind, all at once. */
export async function startServers(
  ids: readonly [string, ...string[]],
  options: StackOptions & { progress?: Progress } = {},
): Promise<void> {
  const env = options.env ?? process.env
  const settings = settingsFrom(env)
  await using _lock = await lockStack(settings.dataDir, { waitMs: LOCK_WAIT_MS })
  const state = requireState(settings.dataDir)
  const work = { settings, env, state, progress: options.progress ?? silent }
  const [{ server }] = ids.map(id => recordOf(state, id)) as [ServerRecord]
  await startLocal(work, [server], { ids })
}

/**
 * Freezes one server of the stack (SIGSTOP): it keeps its connections and answers nobody.
 * @returns what lets it go on; nothing when it was killed meanwhile
 * @throws SetupError when there is no such server, or it does not run
 */
export function freezeServer(id: string, options: StackOptions = {}): () => void {
  const { dataDir } = settingsFrom(options.env ?? process.env)
  const { process: frozen } = recordOf(requireState(dataDir), id)
  if (frozen === null || !freezeProcess(frozen))
    throw new SetupError(`${id} of the stack in ${dataDir} does not run: there is nothing to freeze.`)
  return () => thawProcess(frozen)
}

function requireState(dataDir: string): StateFile {
  const state = readState(dataDir)
  if (state === undefined) throw new SetupError(`No stack was started in ${dataDir}: run \`make up\`.`)
  return state
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

function refuseOtherKind(state: StateFile, settings: Settings): void {
  if (state.kind === settings.kind) return
  throw new SetupError(
    `The stack in ${state.dataDir} was made with STACK=${state.kind}: ` +
      `run \`make clean\` before STACK=${settings.kind}, or choose another folder with SETTLE_DATA.`,
  )
}

function emptyState(settings: Settings): StateFile {
  return { version: 1, kind: settings.kind, dataDir: settings.dataDir, servers: [], services: {} }
}

/** A mistyped SETTLE_DATA must not cost anybody their files. */
function refuseStrangeFolder(dataDir: string): void {
  if (!existsSync(dataDir) || existsSync(stateFilePath(dataDir))) return
  throw new SetupError(`${dataDir} (SETTLE_DATA) holds no stack.json, so it is no stack's folder: remove it by hand.`)
}
