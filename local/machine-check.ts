import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MAVEN } from './jar-cache.ts'
import type { Environment } from './settings.ts'
import { SetupError } from './setup-error.ts'

const run = promisify(execFile)
const COMMAND_TIMEOUT_MS = 30_000
const DOCKER_WAY = 'or use containers with STACK=docker'

/** A Java that both servers run on. */
export interface Java {
  readonly file: string
  readonly major: number
}

/** @throws SetupError elsewhere than on Linux */
export function requireLinux(platform: string = process.platform): void {
  if (platform === 'linux') return
  throw new SetupError(`The local stack runs on Linux only, this is ${platform}: use containers with STACK=docker.`)
}

/**
 * The Java of JAVA_HOME, else of PATH.
 * @throws SetupError when there is none, or one that Cassandra 5.0 does not run on
 */
export async function findJava(env: Environment): Promise<Java> {
  const file = env['JAVA_HOME'] ? join(env['JAVA_HOME'], 'bin', 'java') : 'java'
  const wayOut = `install Java 17 (Debian: apt install openjdk-17-jre-headless) or set JAVA_HOME, ${DOCKER_WAY}.`
  let said: string
  try {
    said = (await run(file, ['-version'], { env, timeout: COMMAND_TIMEOUT_MS })).stderr
  } catch {
    throw new SetupError(`Java does not run (${file}): ${wayOut}`)
  }
  const major = javaMajor(said)
  if (major === undefined) throw new SetupError(`${file} does not tell its version ('${said.trim()}'): ${wayOut}`)
  if (major < 17) throw new SetupError(`${file} is Java ${major}, 17 is needed: ${wayOut}`)
  // Cassandra 5.0 installs a security manager, which Java 24 no longer has.
  if (major >= 24) throw new SetupError(`${file} is Java ${major}, on which Cassandra 5.0 does not run: ${wayOut}`)
  return { file, major }
}

/** `openjdk version "17.0.15"` → 17, `java version "1.8.0_292"` → 8. */
export function javaMajor(versionText: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionText)
  return match === null ? undefined : Number(match[1])
}

/** @throws SetupError when Maven, which fetches the jars, does not run */
export async function requireMaven(env: Environment): Promise<void> {
  try {
    await run(MAVEN, ['--version'], { env, timeout: COMMAND_TIMEOUT_MS })
  } catch {
    throw new SetupError(
      `Maven does not run (${MAVEN}), it fetches the servers' jars: install it (Debian: apt install maven), ${DOCKER_WAY}.`,
    )
  }
}

/** @throws SetupError when less memory is available than the servers about to start need */
export function requireMemory(neededMb: number, availableMb: number = availableMemoryMb()): void {
  if (availableMb >= neededMb) return
  throw new SetupError(
    `Too little memory: the servers need ${neededMb} MB, ${Math.floor(availableMb)} MB are available. ` +
      'End other programs, or give the servers less with CASSANDRA_HEAP_MB and KAFKA_HEAP_MB.',
  )
}

/** What the kernel could give without swapping, or the limit of the control group when that is lower; in MB. */
function availableMemoryMb(): number {
  const kb = Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0)
  const limit = process.constrainedMemory()
  return Math.min(kb / 1024, limit > 0 ? limit / 1024 ** 2 : Number.POSITIVE_INFINITY)
}
