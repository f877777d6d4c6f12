import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isAlive, killProcess, type ProcessId, spawnServer } from './server-process.ts'
import {
  clean,
  down,
  freezeServer,
  serviceEnvironment,
  stackFromFile,
  startServer,
  status,
  stopServer,
  up,
} from './stack.ts'
import { type ServerRecord, type StateFile, writeState } from './state-file.ts'

const proxied = { listen: '127.0.0.1:19094', advertised: '127.0.0.1:19095' }

let dir: string
let env: Record<string, string>
let running: ProcessId
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'settle-stack-'))
  env = { SETTLE_DATA: dir, SETTLE_CACHE: join(dir, 'cache'), PATH: process.env['PATH'] ?? '' }
  const launch = { file: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'], env: {}, cwd: dir }
  running = await spawnServer(launch, join(dir, 'log'))
})
afterEach(async () => {
  await killProcess(running)
  rmSync(dir, { recursive: true, force: true })
})

/** A stack whose broker is `process`, as `up` would have left it. */
function stateWith(process: ProcessId | null): StateFile {
  const kafka: ServerRecord = {
    id: 'kafka',
    server: 'kafka',
    node: 1,
    address: '127.0.0.1',
    ports: { client: 19_092, controller: 19_093, proxied: 19_094, proxy: 19_095 },
    settings: { heapMb: 384 },
    dir: join(dir, 'kafka'),
    logFile: join(dir, 'logs', 'kafka.log'),
    process,
  }
  return {
    version: 1,
    kind: 'local',
    dataDir: dir,
    servers: [kafka],
    services: { kafka: { brokers: ['127.0.0.1:19092'], proxied } },
  }
}

describe('down', () => {
  test('ends what up started, once', async () => {
    writeState(stateWith(running))
    expect(await down({ env })).toEqual(['kafka'])
    expect(isAlive(running)).toBe(false)
    expect(await down({ env })).toEqual([])
    expect(await status({ env })).toMatchObject([{ id: 'kafka', state: 'stopped' }])
  })

  test('leaves a stranger alone that got the pid of a dead server', async () => {
    writeState(stateWith({ pid: running.pid, birth: 'another boot/1' }))
    expect(await status({ env })).toMatchObject([{ id: 'kafka', state: 'died' }])
    expect(await down({ env })).toEqual([])
    expect(isAlive(running)).toBe(true)
  })

  test('is nothing where no stack was started', async () => {
    expect(await down({ env })).toEqual([])
    expect(existsSync(join(dir, 'stack.json'))).toBe(false)
  })
})

describe('up', () => {
  test.each([
    [{ KAFKA_PORT: '19999' }, 'kafka has KAFKA_PORT=19092, 19999 is asked for: end the stack first with `make down`.'],
    [{ KAFKA_HEAP_MB: '512' }, 'kafka has KAFKA_HEAP_MB=384, 512 is asked for: end the stack first with `make down`.'],
    [{ STACK: 'docker' }, 'was made with STACK=local: run `make clean` before STACK=docker'],
  ])('refuses %j while something else runs', async (asked, message) => {
    writeState(stateWith(running))
    await expect(up({ env: { ...env, ...asked }, servers: ['kafka'] })).rejects.toThrow(message)
    expect(isAlive(running)).toBe(true)
  })

  test('refuses another number of nodes than the data has, even when they are stopped', async () => {
    const state = stateWith(null)
    const node = { ...(state.servers[0] as ServerRecord), id: 'cassandra-1', server: 'cassandra' as const }
    writeState({ ...state, servers: [{ ...node, settings: { nodes: 1, heapMb: 512, commitlogSyncPeriodMs: 1_000 } }] })
    await expect(up({ env: { ...env, CASSANDRA_NODES: '3' }, servers: ['cassandra'] })).rejects.toThrow(
      'cassandra-1 has CASSANDRA_NODES=1, 3 is asked for: remove the data first with `make clean`.',
    )
  })

  test('tells what is missing before anything starts', async () => {
    const poor = { ...env, PATH: dir }
    await expect(up({ env: poor })).rejects.toThrow('Java does not run')
    expect(existsSync(join(dir, 'stack.json'))).toBe(false)
  })
})

describe('clean', () => {
  test('ends the stack and removes its folder', async () => {
    writeState(stateWith(running))
    await clean({ env })
    expect(isAlive(running)).toBe(false)
    expect(existsSync(dir)).toBe(false)
  })

  test('does not remove a folder that no stack made', async () => {
    mkdirSync(join(dir, 'photos'))
    await expect(clean({ env })).rejects.toThrow('holds no stack.json')
    expect(existsSync(join(dir, 'photos'))).toBe(true)
  })
})

describe('stackFromFile', () => {
  test('gives what runs and refuses what does not', () => {
    expect(() => stackFromFile({ env })).toThrow(`No stack was started in ${dir}`)
    writeState(stateWith(running))
    expect(stackFromFile({ env, servers: ['kafka'] }).kafka.brokers).toEqual(['127.0.0.1:19092'])
    expect(() => stackFromFile({ env })).toThrow('cassandra of the stack in')
    writeState(stateWith(null))
    expect(() => stackFromFile({ env, servers: ['kafka'] })).toThrow('kafka of the stack in')
  })

  test('a file that is not ours is named', () => {
    writeFileSync(join(dir, 'stack.json'), '{"version": 2}')
    expect(() => stackFromFile({ env })).toThrow(`${join(dir, 'stack.json')} cannot be read as the state of a stack`)
  })
})

test('one server is stopped and started by its name', async () => {
  await expect(stopServer('kafka', { env })).rejects.toThrow('No stack was started')
  writeState(stateWith(running))
  await expect(stopServer('kafka-2', { env })).rejects.toThrow("has no server 'kafka-2', it has kafka.")
  await expect(startServer('kafka-2', { env })).rejects.toThrow("has no server 'kafka-2', it has kafka.")
  await stopServer('kafka', { env, with: 'SIGKILL' })
  expect(isAlive(running)).toBe(false)
})

test('one server is frozen and goes on; down ends it even so', async () => {
  expect(() => freezeServer('kafka', { env })).toThrow('No stack was started')
  writeState(stateWith(running))
  const stateOf = (): string | undefined =>
    /^State:\t(\w)/m.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8'))?.[1]
  const thaw = freezeServer('kafka', { env })
  await expect.poll(stateOf).toBe('T')
  thaw()
  await expect.poll(stateOf).not.toBe('T')
  freezeServer('kafka', { env })
  await expect.poll(stateOf).toBe('T')
  const startedMs = performance.now()
  expect(await down({ env })).toEqual(['kafka'])
  // Less than the grace after which SIGKILL would have ended it.
  expect(performance.now() - startedMs).toBeLessThan(15_000)
  expect(() => freezeServer('kafka', { env })).toThrow('does not run')
})

test('the services read the variables that they expect', () => {
  expect(
    serviceEnvironment({
      kafka: { brokers: ['127.0.0.1:1', '127.0.0.1:2'], proxied },
      cassandra: { contactPoints: ['127.0.0.1', '127.0.0.2'], port: 3, localDataCenter: 'datacenter1' },
      starrocks: {
        feHttp: 'http://127.0.0.1:4',
        beHosts: ['127.0.0.1:5'],
        mysqlHost: '127.0.0.1',
        mysqlPort: 6,
        user: 'root',
        password: '',
      },
    }),
  ).toEqual({
    KAFKA_BROKERS: '127.0.0.1:1,127.0.0.1:2',
    CQL_CONTACT_POINTS: '127.0.0.1:3,127.0.0.2:3',
    CQL_DATACENTER: 'datacenter1',
    CQL_REPLICATION_FACTOR: '2',
    STARROCKS_HTTP: 'http://127.0.0.1:4',
    STARROCKS_LOAD_HOSTS: '127.0.0.1:5',
    STARROCKS_MYSQL: '127.0.0.1:6',
    STARROCKS_USER: 'root',
    STARROCKS_PASSWORD: '',
  })
})
