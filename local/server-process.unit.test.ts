import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  birthOf,
  endProcess,
  isAlive,
  killProcess,
  type Launch,
  type ProcessId,
  spawnServer,
} from './server-process.ts'

let dir: string
const started: ProcessId[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-process-'))
})
afterEach(async () => {
  for (const id of started.splice(0)) await killProcess(id)
  rmSync(dir, { recursive: true, force: true })
})

async function start(program: string, more: Partial<Launch> = {}): Promise<ProcessId> {
  const launch = { file: process.execPath, args: ['-e', program], env: { WORD: 'hello' }, cwd: dir, ...more }
  const id = await spawnServer(launch, join(dir, 'log'))
  started.push(id)
  return id
}

function logged(text: string): Promise<void> {
  return vi.waitFor(() => expect(readFileSync(join(dir, 'log'), 'utf8')).toContain(text), { timeout: 10_000 })
}

test('a server is a session of its own, its output in the log, and ends on SIGTERM', async () => {
  const id = await start('console.log(process.env.WORD); setInterval(() => {}, 1000)')
  await logged('hello')
  expect(isAlive(id)).toBe(true)
  const session = readFileSync(`/proc/${id.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]
  expect(session).toBe(String(id.pid))
  expect(await endProcess(id, { graceMs: 10_000 })).toBe('ended')
  expect(isAlive(id)).toBe(false)
  expect(await endProcess(id, { graceMs: 10_000 })).toBe('gone')
})

test('one that does not heed SIGTERM is killed after its time', async () => {
  const id = await start('process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("deaf")')
  await logged('deaf')
  expect(await endProcess(id, { graceMs: 100 })).toBe('killed')
  expect(isAlive(id)).toBe(false)
})

test('one that may be woken late says so, and is the process that was started', async () => {
  const slack = 'require("fs").readFileSync("/proc/self/timerslack_ns", "utf8")'
  const id = await start(`console.log(process.pid, ${slack}); setInterval(() => {}, 1000)`, { timerSlackUs: 700 })
  await logged(`${id.pid} 700000`)
  expect(isAlive(id)).toBe(true)
})

test('a later process with the same pid is not ours and is left alone', async () => {
  const other = await start('setInterval(() => {}, 1000)')
  const ours = { pid: other.pid, birth: `${other.birth.split('/')[0]}/1` }
  expect(isAlive(ours)).toBe(false)
  expect(await endProcess(ours, { graceMs: 100 })).toBe('gone')
  await killProcess(ours)
  expect(isAlive(other)).toBe(true)
})

test('a process of another boot is not ours either', () => {
  const birth = birthOf(process.pid) as string
  expect(isAlive({ pid: process.pid, birth })).toBe(true)
  expect(isAlive({ pid: process.pid, birth: `0000${birth.slice(4)}` })).toBe(false)
})

test('a program that is not there says so', async () => {
  const launch = { file: join(dir, 'none'), args: [], env: {}, cwd: dir }
  await expect(spawnServer(launch, join(dir, 'log'))).rejects.toThrow('ENOENT')
})
