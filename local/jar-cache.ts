import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError } from './setup-error.ts'

/** A server's jars, pinned by a pom of `poms/`. */
export interface JarSet {
  readonly name: string
  /** About how many files Maven downloads when it has none of them; only the progress bar needs it. */
  readonly usualDownloads: number
}

/** Runs Maven; `onLine` gets its output. Resolves to the exit code. Replaced in tests. */
export type RunMaven = (args: readonly string[], onLine: (line: string) => void) => Promise<number>

export interface FetchOptions {
  readonly cacheDir: string
  /** 0 to 1. */
  readonly onProgress?: (fraction: number) => void
  readonly runMaven?: RunMaven
  readonly pomDir?: string
}

const POMS = join(import.meta.dirname, 'poms')
const MAVEN_TIMEOUT_MS = 10 * 60_000
const TRIES = 2
export const MAVEN = 'mvn'

/** Where a set of jars is when it is cached. The name changes with the pom, so a new version is a new folder. */
export function jarFolder(set: JarSet, options: Pick<FetchOptions, 'cacheDir' | 'pomDir'>): string {
  const pom = readFileSync(pomPath(set, options))
  const sha = createHash('sha256').update(pom).digest('hex').slice(0, 16)
  return join(options.cacheDir, 'jars', `${set.name}-${sha}`)
}

/** A folder with the final name is whole: it got the name only then. */
export function isCached(set: JarSet, options: Pick<FetchOptions, 'cacheDir' | 'pomDir'>): boolean {
  return existsSync(jarFolder(set, options))
}

/**
 * The folder of the jars, fetched from Maven's repositories unless it is cached. Filled under another name and renamed,
 * so an interrupted fetch is never taken for a whole one, and of two fetches at once the first to end wins.
 * @throws SetupError with what Maven said, exit code 1
 */
export async function jars(set: JarSet, options: FetchOptions): Promise<string> {
  const folder = jarFolder(set, options)
  if (existsSync(folder)) return folder
  const parent = join(options.cacheDir, 'jars')
  mkdirSync(parent, { recursive: true })
  const half = join(parent, `.${set.name}-${process.pid}-${randomBytes(4).toString('hex')}`)
  try {
    await fetchInto(half, set, options)
    moveUnlessThere(half, folder)
    return folder
  } finally {
    rmSync(half, { recursive: true, force: true })
  }
}

async function fetchInto(folder: string, set: JarSet, options: FetchOptions): Promise<void> {
  const args = [
    '--batch-mode',
    '--file',
    pomPath(set, options),
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${folder}`,
  ]
  let said: string[] = []
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    said = []
    let downloads = 0
    const code = await (options.runMaven ?? runMaven)(args, line => {
      said.push(line)
      if (/Downloaded from|Copying/.test(line)) options.onProgress?.(Math.min(0.99, ++downloads / set.usualDownloads))
    })
    if (code === 0 && jarCount(folder) > 0) return
  }
  const errors = said.filter(line => line.includes('ERROR')).slice(0, 8)
  const lines = (errors.length > 0 ? errors : said.slice(-8)).map(line => `  ${line}`)
  throw new SetupError(
    `Maven could not fetch the jars of ${set.name} (${pomPath(set, options)}):\n${lines.join('\n')}\n` +
      'Check the network and the mirrors in ~/.m2/settings.xml, then run it again.',
    { exitCode: 1 },
  )
}

function pomPath(set: JarSet, options: Pick<FetchOptions, 'pomDir'>): string {
  return join(options.pomDir ?? POMS, `${set.name}.pom.xml`)
}

function jarCount(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.jar')).length : 0
}

function moveUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    // Another process was faster; its folder is as good.
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
}

const runMaven: RunMaven = (args, onLine) =>
  new Promise((resolve, reject) => {
    const child = spawn(MAVEN, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: MAVEN_TIMEOUT_MS })
    let rest = ''
    const take = (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split(/\r?\n/)
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', reject)
    child.once('close', code => {
      if (rest !== '') onLine(rest)
      resolve(code ?? 1)
    })
  })
