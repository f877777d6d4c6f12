import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cassandra } from './cassandra.ts'
import { isCached, jars } from './jar-cache.ts'
import { kafka } from './kafka.ts'
import { findJava, type Java, requireLinux, requireMaven, requireMemory } from './machine-check.ts'
import { freePorts, isPortFree } from './ports.ts'
import type { Progress } from './progress.ts'
import type { ServerDriver } from './server-driver.ts'
import { endProcess, isAlive, killProcess } from './server-process.ts'
import { localServices } from './services.ts'
import {
  type Environment,
  NAMED_ONLY,
  PORT_VARIABLES,
  SERVER_SETTINGS,
  type ServerName,
  type Settings,
} from './settings.ts'
import { SetupError } from './setup-error.ts'
import { PortClash, seconds, startServer, waitUntilServing } from './start-server.ts'
import { starrocks } from './starrocks.ts'
import { type ServerRecord, type StateFile, writeState } from './state-file.ts'

const DRIVERS: Record<ServerName, ServerDriver> = { kafka, cassandra, starrocks }
const PORT_TRIES = 3
const POLL_MS = 500

/** What a start works on. */
interface Work {
  readonly settings: Settings
  readonly env: Environment
  readonly state: StateFile
  readonly progress: Progress
}

/**
 * Starts the wanted servers that do not run, all kinds at once, and waits until all of them serve. What runs is left
 * alone. `ids` narrows it to some nodes of those kinds, which then keep their ports.
 * @returns the ids of the servers that were started
 * @throws SetupError
 */
export async function startLocal(
  work: Work,
  wanted: readonly ServerName[],
  options: { ids?: readonly string[] } = {},
): Promise<string[]> {
  requireLinux()
  const keepPorts = options.ids !== undefined || work.state.servers.some(runs)
  for (const server of wanted) planServer(work, server)
  const records = work.state.servers.filter(
    ({ server, id }) => wanted.includes(server) && (options.ids?.includes(id) ?? true),
  )
  const running = records.filter(runs)
  const toStart = records.filter(record => !runs(record))
  const java = await checkMachine(work, toStart)
  for (const server of wanted) await givePorts(work, ofKind(toStart, server), { keep: keepPorts })
  save(work.state)
  await allOf([
    ...running.map(checkServing),
    ...wanted.map(server => startKind(work, ofKind(toStart, server), { java, keepPorts })),
  ])
  for (const server of wanted) await waitUntilTogether(ofKind(work.state.servers, server))
  return toStart.map(({ id }) => id)
}

/** Only when all of them run: a test that has stopped some wants the others without them. */
async function waitUntilTogether(records: readonly ServerRecord[]): Promise<void> {
  const [first] = records
  if (first === undefined || records.length < 2 || !records.every(runs)) return
  const driver = DRIVERS[first.server]
  const end = Date.now() + driver.startTimeoutMs
  for (;;) {
    try {
      return await driver.probeTogether?.(records)
    } catch (cause) {
      if (Date.now() < end) {
        await delay(POLL_MS)
        continue
      }
      const message = `The ${records.length} nodes of ${driver.title} have not found each other: ${(cause as Error).message}.`
      throw new SetupError(message, { exitCode: 1, cause })
    }
  }
}

/** Ends the servers of the stack that run, all at once. Returns the ids of those that did. */
export async function stopLocal(state: StateFile, options: { with: 'SIGTERM' | 'SIGKILL'; ids?: readonly string[] }) {
  const records = state.servers.filter(({ id }) => options.ids === undefined || options.ids.includes(id))
  const ended: string[] = []
  const stop = async (record: ServerRecord) => {
    if (record.process === null) return
    const graceMs = DRIVERS[record.server].stopTimeoutMs
    if (runs(record)) ended.push(record.id)
    if (options.with === 'SIGTERM') await endProcess(record.process, { graceMs })
    else await killProcess(record.process)
    record.process = null
  }
  try {
    await allOf(records.map(stop))
  } finally {
    save(state)
  }
  return ended
}

/** Whether the server answers now. */
export async function serves(record: ServerRecord): Promise<boolean> {
  if (!runs(record)) return false
  return DRIVERS[record.server].probe(record).then(
    () => true,
    () => false,
  )
}

export function runs(record: ServerRecord): boolean {
  return record.process !== null && isAlive(record.process)
}

function save(state: StateFile): void {
  state.services = localServices(state.servers)
  writeState(state)
}

/** Puts the server's records into the state, or brings those that do not run up to the settings. */
function planServer(work: Work, server: ServerName): void {
  const { settings, state } = work
  const known = state.servers.filter(record => record.server === server)
  for (const record of known) refuseOtherSettings(work, record)
  const values: Record<string, number> = {}
  for (const [name, { fallback }] of Object.entries(SERVER_SETTINGS[server])) {
    values[name] = settings.server[server][name] ?? known[0]?.settings[name] ?? fallback
  }
  for (const record of known) if (!runs(record)) record.settings = values
  for (let node = known.length + 1; node <= (values['nodes'] ?? 1); node++) {
    const id = server === 'cassandra' ? `cassandra-${node}` : server
    state.servers.push({
      id,
      server,
      node,
      address: `127.0.0.${node}`,
      ports: {},
      settings: values,
      dir: join(settings.dataDir, id),
      logFile: join(settings.dataDir, 'logs', `${id}.log`),
      process: null,
    })
  }
}

/** What was asked for must not silently differ from what runs, or from what the data was made with. */
function refuseOtherSettings({ settings }: Work, record: ServerRecord): void {
  const differ = (variable: string, is: number | undefined, asked: number | undefined, wayOut: string) => {
    if (asked === undefined || asked === is) return
    throw new SetupError(`${record.id} has ${variable}=${is}, ${asked} is asked for: ${wayOut}`)
  }
  const { server } = record
  for (const [name, { variable }] of Object.entries(SERVER_SETTINGS[server])) {
    const asked = settings.server[server][name]
    if (name === 'nodes') differ(variable, record.settings[name], asked, 'remove the data first with `make clean`.')
    else if (runs(record)) differ(variable, record.settings[name], asked, 'end the stack first with `make down`.')
  }
  if (!runs(record)) return
  for (const [name, variable] of Object.entries(PORT_VARIABLES[server])) {
    differ(variable, record.ports[name], settings.ports[server][name], 'end the stack first with `make down`.')
  }
}

/** Waits for all even when one fails, so that nothing goes on behind the caller's back; then says all that failed. */
async function allOf(starts: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(starts)
  const failed = outcomes.filter(outcome => outcome.status === 'rejected').map(({ reason }) => reason as Error)
  if (failed.length === 1) throw failed[0]
  if (failed.length > 1) throw new SetupError(failed.map(({ message }) => message).join('\n'), { exitCode: 1 })
}

function ofKind(records: readonly ServerRecord[], server: ServerName): ServerRecord[] {
  return records.filter(record => record.server === server)
}

/** Everything that can be known to be missing is said before anything starts. */
async function checkMachine(work: Work, toStart: readonly ServerRecord[]): Promise<Java | undefined> {
  const sets = toStart.flatMap(({ server }) => DRIVERS[server].jarSet ?? [])
  const java = sets.length > 0 ? await findJava(work.env) : undefined
  if (sets.some(set => !isCached(set, work.settings))) await requireMaven(work.env)
  requireMemory(toStart.reduce((sum, record) => sum + DRIVERS[record.server].memoryMb(record.settings), 0))
  return java
}

/**
 * Gives the nodes of one kind, none of which runs, their ports: those that are fixed, else those they had, else free
 * ones, the same for all nodes. `keep`: somebody knows the ports they had, so they stay or the start is refused.
 */
async function givePorts(work: Work, idle: readonly ServerRecord[], options: { keep: boolean }): Promise<void> {
  const [first] = idle
  if (first === undefined) return
  const addresses = idle.map(({ address }) => address)
  const ports: Record<string, number> = {}
  for (const [name, variable] of Object.entries(PORT_VARIABLES[first.server])) {
    const fixed = work.settings.ports[first.server][name]
    const had = first.ports[name]
    const port = fixed ?? had
    const busy = port === undefined || NAMED_ONLY.has(name) ? undefined : await firstBusy(port, addresses)
    if (port !== undefined && busy === undefined) {
      ports[name] = port
    } else if (fixed !== undefined) {
      throw new SetupError(
        `Port ${fixed} of ${busy} is in use by another program (${variable}=${fixed}): ` +
          `set ${variable} to a free port, or leave it out to have one chosen.`,
      )
    } else if (had !== undefined && options.keep) {
      throw new SetupError(
        `${first.id} cannot go on at its port ${had}, another program uses it: ` +
          'end that program, or end the stack with `make down` to have other ports chosen.',
      )
    } else {
      const [chosen] = await freePorts(1, addresses)
      ports[name] = chosen as number
    }
  }
  for (const record of idle) record.ports = ports
}

async function firstBusy(port: number, addresses: readonly string[]): Promise<string | undefined> {
  for (const address of addresses) if (!(await isPortFree(port, address))) return address
  return undefined
}

/** Fetches the jars of one kind of server and starts its nodes, with other ports after a clash. */
async function startKind(
  work: Work,
  idle: readonly ServerRecord[],
  options: { java: Java | undefined; keepPorts: boolean },
): Promise<void> {
  const [first] = idle
  if (first === undefined) return
  const jarDir = await fetchJars(work, DRIVERS[first.server])
  const tools = { ...(options.java && { java: options.java }), ...(jarDir !== undefined && { jarDir }) }
  for (let attempt = 1; ; attempt++) {
    try {
      await allOf(idle.filter(record => !runs(record)).map(record => startOne(work, record, tools)))
      return
    } catch (error) {
      if (!(error instanceof PortClash) || options.keepPorts || attempt === PORT_TRIES || idle.some(runs)) throw error
      await givePorts(work, idle, { keep: false })
    }
  }
}

async function fetchJars(work: Work, driver: ServerDriver): Promise<string | undefined> {
  if (driver.jarSet === undefined) return undefined
  if (isCached(driver.jarSet, work.settings)) return jars(driver.jarSet, work.settings)
  const step = work.progress.step(`Fetch the jars of ${driver.title}`)
  const start = Date.now()
  try {
    const folder = await jars(driver.jarSet, {
      cacheDir: work.settings.cacheDir,
      onProgress: fraction => step.at(fraction),
    })
    step.done(seconds(Date.now() - start))
    return folder
  } catch (error) {
    step.failed()
    throw error
  }
}

async function startOne(work: Work, record: ServerRecord, tools: { java?: Java; jarDir?: string }): Promise<void> {
  const driver = DRIVERS[record.server]
  const peers = ofKind(work.state.servers, record.server)
  const which = peers.length > 1 ? ` (${record.id})` : ''
  const step = work.progress.step(`Start ${driver.title}${which}`)
  const start = Date.now()
  try {
    mkdirSync(join(work.settings.dataDir, 'logs'), { recursive: true })
    mkdirSync(record.dir, { recursive: true })
    const launch = await driver.prepare(record, { ...tools, peers })
    const onProcess = (id: NonNullable<ServerRecord['process']>) => {
      record.process = id
      save(work.state)
    }
    await startServer(record, driver, launch, { onProcess, step })
    step.done(`${seconds(Date.now() - start)}, ${record.address}:${Object.values(record.ports)[0]}`)
  } catch (error) {
    step.failed()
    throw error
  }
}

/** A server that runs may still be on its way up, from an `up` that was cut off. */
async function checkServing(record: ServerRecord): Promise<void> {
  if (record.process === null) return
  try {
    await waitUntilServing(record, DRIVERS[record.server], { id: record.process })
  } catch (cause) {
    throw new SetupError(`${(cause as Error).message} \`make down\` ends it; its log is ${record.logFile}.`, {
      exitCode: 1,
      cause,
    })
  }
}
