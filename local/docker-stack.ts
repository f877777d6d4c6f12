import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { isPortFree } from './ports.ts'
import type { Progress } from './progress.ts'
import { type Environment, NAMED_ONLY, PORT_VARIABLES, type ServerName, type Settings } from './settings.ts'
import { SetupError } from './setup-error.ts'
import { seconds } from './start-server.ts'
import { type Services, type StateFile, writeState } from './state-file.ts'

const run = promisify(execFile)
const COMPOSE_FILE = join(resolve(import.meta.dirname, '..'), 'docker-compose.yml')
const ADDRESS = '127.0.0.1'
const ASK_TIMEOUT_MS = 30_000
/** The first start pulls about 4 GB of images. */
const UP_TIMEOUT_MS = 30 * 60_000
const DOWN_TIMEOUT_MS = 5 * 60_000

/** What docker-compose.yml publishes when the environment fixes nothing. */
const USUAL_PORTS: Record<ServerName, Record<string, number>> = {
  kafka: { client: 9092, proxied: 9094, proxy: 9095 },
  cassandra: { cql: 9042 },
  starrocks: { feHttp: 8030, beHttp: 8040, mysql: 9030 },
}

/**
 * Starts the wanted services of docker-compose.yml and waits until they are healthy. Compose leaves alone what runs.
 * @returns the services that were not up before
 * @throws SetupError
 */
export async function startDocker(
  work: { settings: Settings; env: Environment; state: StateFile; progress: Progress },
  wanted: readonly ServerName[],
): Promise<string[]> {
  const { settings, env, state } = work
  const ports = publishedPorts(settings, state.services)
  await requireDocker(env)
  const before = await dockerServices(state.dataDir, env)
  const toStart = wanted.filter(name => before.find(({ id }) => id === name)?.state !== 'serving')
  for (const name of toStart) {
    if (!before.some(({ id }) => id === name)) await refuseBusyPorts(name, ports[name])
  }
  const step = work.progress.step(`Start ${wanted.join(', ')} in containers`)
  const start = Date.now()
  try {
    const variables = Object.fromEntries(
      Object.entries(PORT_VARIABLES).flatMap(([name, variables]) =>
        Object.entries(variables).map(([port, variable]) => [variable, String(ports[name as ServerName][port] ?? '')]),
      ),
    )
    await compose(state.dataDir, ['up', '--detach', '--wait', ...wanted], {
      env: { ...env, ...variables },
      timeoutMs: UP_TIMEOUT_MS,
    })
    step.done(seconds(Date.now() - start))
  } catch (error) {
    step.failed()
    throw error
  }
  const all = dockerAddresses(ports)
  for (const name of wanted) Object.assign(state.services, { [name]: all[name] })
  writeState(state)
  return toStart
}

/** Removes the containers; `volumes: 'removed'` their data too. Returns the services that there were. */
export async function stopDocker(
  state: StateFile,
  options: { env: Environment; volumes: 'kept' | 'removed' },
): Promise<string[]> {
  await requireDocker(options.env)
  const before = await dockerServices(state.dataDir, options.env)
  await compose(state.dataDir, ['down', ...(options.volumes === 'removed' ? ['--volumes'] : [])], {
    env: options.env,
    timeoutMs: DOWN_TIMEOUT_MS,
  })
  state.services = {}
  writeState(state)
  return before.map(({ id }) => id)
}

/** The services that have a container. */
export async function dockerServices(
  dataDir: string,
  env: Environment,
): Promise<Array<{ id: string; state: 'serving' | 'silent' | 'died' }>> {
  const text = await compose(dataDir, ['ps', '--all', '--format', 'json'], { env, timeoutMs: ASK_TIMEOUT_MS })
  return parsePs(text).map(({ Service, State, Health }) => {
    if (State !== 'running') return { id: Service, state: 'died' }
    return { id: Service, state: Health === 'healthy' ? 'serving' : 'silent' }
  })
}

interface PsLine {
  readonly Service: string
  readonly State: string
  readonly Health?: string
}

/** One JSON object a line, or one array of them: it depends on the plugin's version. */
function parsePs(text: string): PsLine[] {
  const trimmed = text.trim()
  if (trimmed.startsWith('[')) return JSON.parse(trimmed) as PsLine[]
  return trimmed
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as PsLine)
}

async function requireDocker(env: Environment): Promise<void> {
  const options = { env, timeout: ASK_TIMEOUT_MS }
  const wayOut = 'or leave STACK out to run the servers without containers.'
  try {
    await run('docker', ['compose', 'version'], options)
  } catch {
    throw new SetupError(`STACK=docker needs the docker command with its compose plugin: install both, ${wayOut}`)
  }
  try {
    await run('docker', ['info'], options)
  } catch {
    throw new SetupError(`No Docker engine answers (docker info): start it, ${wayOut}`)
  }
}

/** Those that are fixed, else those of the last start (others would make Compose replace the containers). */
function publishedPorts(settings: Settings, last: StateFile['services']): Record<ServerName, Record<string, number>> {
  const { ports, server } = settings
  const beHttp = ports.starrocks['beHttp']
  if (beHttp !== undefined && beHttp !== USUAL_PORTS.starrocks['beHttp']) {
    throw new SetupError(
      `STARROCKS_BE_HTTP_PORT=${beHttp} cannot be with STACK=docker, StarRocks sends loads to port 8040: leave it out.`,
    )
  }
  if ((server.cassandra['nodes'] ?? 1) > 1) {
    throw new SetupError(
      `CASSANDRA_NODES=${server.cassandra['nodes']} cannot be with STACK=docker, which has one node: leave it out.`,
    )
  }
  const had = {
    kafka: last.kafka && {
      client: portOf(last.kafka.brokers[0]),
      proxied: portOf(last.kafka.proxied.listen),
      proxy: portOf(last.kafka.proxied.advertised),
    },
    cassandra: last.cassandra && { cql: last.cassandra.port },
    starrocks: last.starrocks && { feHttp: portOf(last.starrocks.feHttp), mysql: last.starrocks.mysqlPort },
  }
  return {
    kafka: { ...USUAL_PORTS.kafka, ...had.kafka, ...ports.kafka },
    cassandra: { ...USUAL_PORTS.cassandra, ...had.cassandra, ...ports.cassandra },
    starrocks: { ...USUAL_PORTS.starrocks, ...had.starrocks, ...ports.starrocks },
  }
}

function portOf(place = ''): number {
  return Number(place.slice(place.lastIndexOf(':') + 1))
}

async function refuseBusyPorts(name: ServerName, ports: Record<string, number>): Promise<void> {
  for (const port of Object.keys(USUAL_PORTS[name])) {
    if (NAMED_ONLY.has(port)) continue
    const number = ports[port] as number
    if (await isPortFree(number, ADDRESS)) continue
    const variable = PORT_VARIABLES[name][port]
    throw new SetupError(
      variable === 'STARROCKS_BE_HTTP_PORT'
        ? `Port ${number} of ${ADDRESS}, where StarRocks takes loads, is in use by another program: end that program.`
        : `Port ${number} of ${ADDRESS} is in use by another program: set ${variable} to a free port.`,
    )
  }
}

function dockerAddresses(ports: Record<ServerName, Record<string, number>>): Services {
  return {
    kafka: {
      brokers: [`${ADDRESS}:${ports.kafka['client']}`],
      proxied: {
        listen: `${ADDRESS}:${ports.kafka['proxied']}`,
        advertised: `${ADDRESS}:${ports.kafka['proxy']}`,
      },
    },
    cassandra: {
      contactPoints: [ADDRESS],
      port: ports.cassandra['cql'] as number,
      // What ScyllaDB's SimpleSnitch says too.
      localDataCenter: 'datacenter1',
    },
    starrocks: {
      feHttp: `http://${ADDRESS}:${ports.starrocks['feHttp']}`,
      beHosts: [`${ADDRESS}:${ports.starrocks['beHttp']}`],
      mysqlHost: ADDRESS,
      mysqlPort: ports.starrocks['mysql'] as number,
      user: 'root',
      password: '',
    },
  }
}

/** The project's name hangs off the data folder, like everything else of a stack. */
async function compose(
  dataDir: string,
  args: readonly string[],
  options: { env: Environment; timeoutMs: number },
): Promise<string> {
  const project = `settle-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`
  try {
    const { stdout } = await run('docker', ['compose', '--project-name', project, '--file', COMPOSE_FILE, ...args], {
      env: options.env,
      timeout: options.timeoutMs,
      maxBuffer: 16 * 1024 * 1024,
    })
    return stdout
  } catch (cause) {
    const said = ((cause as { stderr?: string }).stderr ?? '').trim().split('\n').slice(-12)
    throw new SetupError(
      `docker compose ${args[0]} failed:\n${said.map(line => `  ${line}`).join('\n')}\n` +
        `Its logs: docker compose --project-name ${project} logs`,
      { exitCode: 1, cause },
    )
  }
}
