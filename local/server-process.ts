import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that outlives the command that started it. `birth` tells it from a later one with the same pid. */
export interface ProcessId {
  readonly pid: number
  readonly birth: string
}

export interface Launch {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** How late the kernel may wake a thread that sleeps for a time, microseconds; Linux's own 50 when not said. */
  readonly timerSlackUs?: number
}

const POLL_MS = 50
const KILL_WAIT_MS = 10_000

/**
 * Starts a process in a session of its own, its output appended to `logFile`.
 * @throws Error of spawn, for example ENOENT
 */
export async function spawnServer(launch: Launch, logFile: string): Promise<ProcessId> {
  const log = openSync(logFile, 'a')
  try {
    const [file, ...args] = commandOf(launch)
    const child = spawn(file, args, {
      cwd: launch.cwd,
      env: { ...process.env, ...launch.env },
      detached: true,
      stdio: ['ignore', log, log],
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    const pid = child.pid as number
    // Ended already: no birth any more, and nothing that could be mistaken for it.
    return { pid, birth: birthOf(pid) ?? 'ended at once' }
  } finally {
    closeSync(log)
  }
}

/** A process hands its slack on to what it becomes and to every thread of it: so it has it from the first one on. */
function commandOf({ file, args, timerSlackUs }: Launch): [string, ...string[]] {
  if (timerSlackUs === undefined) return [file, ...args]
  const become = 'echo "$0" > /proc/self/timerslack_ns; exec "$@"'
  return ['/bin/sh', '-c', become, `${timerSlackUs * 1000}`, file, ...args]
}

/** When the process began: the boot and the clock ticks since it; undefined when there is none, or only a zombie. */
export function birthOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name, in parentheses, may hold anything; what follows it is "state ppid …", the 22nd field is the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'X' || (fields[0] === 'Z' && !hasOtherThreads(pid))) return undefined
  return `${bootId()}/${fields[19]}`
}

/**
 * The first thread can be a zombie while others still end, and the process holds its ports until the last of them has:
 * who starts its successor at once would find them in use.
 */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1
  } catch {
    return false
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

export function isAlive(id: ProcessId): boolean {
  return birthOf(id.pid) === id.birth
}

/**
 * Ends the process: SIGTERM, `graceMs`, SIGKILL. Returns when it is gone; at once when it is gone already.
 * @throws Error when not even SIGKILL ends it within ten seconds
 */
export async function endProcess(id: ProcessId, options: { graceMs: number }): Promise<'ended' | 'killed' | 'gone'> {
  if (!signal(id, 'SIGTERM')) return 'gone'
  // One that is frozen hears of it only when it goes on.
  signal(id, 'SIGCONT')
  if (await goneWithin(id, options.graceMs)) return 'ended'
  await killProcess(id)
  return 'killed'
}

/** SIGKILL, and returns when the process is gone. */
export async function killProcess(id: ProcessId): Promise<void> {
  if (!signal(id, 'SIGKILL')) return
  if (!(await goneWithin(id, KILL_WAIT_MS))) {
    throw new Error(`process ${id.pid} is still there ${KILL_WAIT_MS / 1000} s after SIGKILL`)
  }
}

/** SIGSTOP: it keeps its memory, its connections and its ports, and does nothing. False when it is gone. */
export function freezeProcess(id: ProcessId): boolean {
  return signal(id, 'SIGSTOP')
}

/** SIGCONT; nothing when it is gone. */
export function thawProcess(id: ProcessId): void {
  signal(id, 'SIGCONT')
}

function signal(id: ProcessId, name: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
  if (!isAlive(id)) return false
  try {
    process.kill(id.pid, name)
    return true
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

async function goneWithin(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const end = Date.now() + timeoutMs
  while (isAlive(id)) {
    if (Date.now() >= end) return false
    await delay(POLL_MS)
  }
  return true
}
