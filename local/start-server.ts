import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Step } from './progress.ts'
import type { ServerDriver } from './server-driver.ts'
import { endProcess, isAlive, type Launch, type ProcessId, spawnServer } from './server-process.ts'
import { SetupError } from './setup-error.ts'
import type { ServerRecord } from './state-file.ts'

const POLL_MS = 200
const LAST_LINES = 12
const LAST_BYTES = 16 * 1024

/** The port was taken between the look at it and the start. */
export class PortClash extends SetupError {}

/**
 * Starts a server and waits until it serves. `onProcess` must remember the process before anything else happens: it is
 * not a child that ends with us.
 * @throws PortClash, or SetupError with the last lines of the log when it ends or does not serve in time (exit code 1)
 */
export async function startServer(
  record: ServerRecord,
  driver: ServerDriver,
  launch: Launch,
  options: { onProcess: (id: ProcessId) => void; step: Step },
): Promise<void> {
  const logFrom = sizeOf(record.logFile)
  let id: ProcessId
  try {
    id = await spawnServer(launch, record.logFile)
  } catch (cause) {
    throw new SetupError(`${driver.title} could not be started (${launch.file}): ${(cause as Error).message}`, {
      exitCode: 1,
      cause,
    })
  }
  options.onProcess(id)
  try {
    await waitUntilServing(record, driver, { id, step: options.step })
  } catch (error) {
    await endProcess(id, { graceMs: driver.stopTimeoutMs })
    const said = lastLines(record.logFile, { from: logFrom })
    const message = `${(error as Error).message}\nThe end of its log, ${record.logFile}:\n${said}`
    if (/Address already in use|EADDRINUSE/.test(said)) throw new PortClash(message, { exitCode: 1 })
    throw new SetupError(message, { exitCode: 1, cause: error })
  }
}

/**
 * Waits until the server answers, bounded by its driver's start timeout.
 * @throws Error that says whether it ended or stayed silent, with the probe's last error as cause
 */
export async function waitUntilServing(
  record: ServerRecord,
  driver: ServerDriver,
  options: { id: ProcessId; step?: Step },
): Promise<void> {
  const start = Date.now()
  for (;;) {
    let problem: unknown
    try {
      await driver.probe(record)
      return
    } catch (error) {
      problem = error
    }
    const waitedMs = Date.now() - start
    if (!isAlive(options.id))
      throw new Error(`${driver.title} (${record.id}) ended ${seconds(waitedMs)} after its start.`)
    if (waitedMs > driver.startTimeoutMs) {
      throw new Error(
        `${driver.title} (${record.id}, pid ${options.id.pid}) does not serve after ${seconds(waitedMs)}: ` +
          `${(problem as Error).message}.`,
        { cause: problem },
      )
    }
    // Approaches the end without ever reaching it.
    options.step?.at(1 - Math.exp((-2 * waitedMs) / driver.usualStartMs))
    await delay(POLL_MS)
  }
}

/** `4.2 s` */
export function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0
}

/** The end of what was written since `from`. */
function lastLines(file: string, options: { from: number }): string {
  const size = sizeOf(file)
  const start = Math.max(options.from, size - LAST_BYTES)
  const buffer = Buffer.alloc(Math.max(0, size - start))
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, buffer, 0, buffer.length, start)
  } finally {
    closeSync(descriptor)
  }
  const lines = buffer.toString('utf8').trimEnd().split('\n')
  return lines
    .slice(-LAST_LINES)
    .map(line => `  ${line.slice(0, 500)}`)
    .join('\n')
}
