import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answersAt, freePorts } from './ports.ts'
import type { ServerDriver } from './server-driver.ts'
import { isAlive, killProcess, type ProcessId } from './server-process.ts'
import { PortClash, startServer } from './start-server.ts'
import type { ServerRecord } from './state-file.ts'

let dir: string
let seen: ProcessId | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-start-'))
  seen = undefined
})
afterEach(async () => {
  if (seen !== undefined) await killProcess(seen)
  rmSync(dir, { recursive: true, force: true })
})

const driver: ServerDriver = {
  server: 'starrocks',
  title: 'Demo',
  startTimeoutMs: 10_000,
  stopTimeoutMs: 1_000,
  usualStartMs: 100,
  memoryMb: () => 1,
  prepare: () => Promise.reject(new Error('not used')),
  probe: async ({ ports, address }) => {
    if (!(await answersAt(ports['http'] as number, address, { timeoutMs: 500 }))) throw new Error('no answer')
  },
}

async function start(program: string, overrides: Partial<ServerDriver> = {}): Promise<void> {
  const [port] = (await freePorts(1, ['127.0.0.1'])) as [number]
  const record: ServerRecord = {
    id: 'demo',
    server: 'starrocks',
    node: 1,
    address: '127.0.0.1',
    ports: { http: port },
    settings: {},
    dir,
    logFile: join(dir, 'log'),
    process: null,
  }
  const launch = { file: process.execPath, args: ['-e', program], env: { PORT: String(port) }, cwd: dir }
  const step = { at: () => {}, done: () => {}, failed: () => {} }
  const onProcess = (id: ProcessId) => {
    seen = id
  }
  await startServer(record, { ...driver, ...overrides }, launch, { onProcess, step })
}

test('returns when the server serves, and the server goes on', async () => {
  await start('require("net").createServer().listen(process.env.PORT, "127.0.0.1")')
  expect(isAlive(seen as ProcessId)).toBe(true)
})

test('a server that ends is told with the end of its log, exit code 1', async () => {
  const program = 'for (let i = 0; i < 50; i++) console.log("line " + i); console.error("out of luck"); process.exit(3)'
  const failed = start(program)
  await expect(failed).rejects.toMatchObject({ exitCode: 1 })
  await expect(failed).rejects.toThrow(/Demo \(demo\) ended .* after its start/)
  await expect(failed).rejects.toThrow(`The end of its log, ${join(dir, 'log')}:`)
  await expect(failed).rejects.toThrow('out of luck')
  await expect(failed).rejects.not.toThrow('line 5\n')
})

test('a server that stays silent is ended after its time', async () => {
  await expect(start('setInterval(() => {}, 1000)', { startTimeoutMs: 300 })).rejects.toThrow(
    /does not serve after .*: no answer\./,
  )
  expect(isAlive(seen as ProcessId)).toBe(false)
})

test('a port that was taken meanwhile is a clash, so that others can be tried', async () => {
  await expect(start('throw new Error("java.net.BindException: Address already in use")')).rejects.toBeInstanceOf(
    PortClash,
  )
})
