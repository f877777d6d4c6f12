import { execFile } from 'node:child_process'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Bytes of the CSV files under a folder, without those that are not finished. */
export const csvBytes = async (dir: string): Promise<number> => {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile() && entry.name.endsWith('.csv'))
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** How long `cp` takes for a folder; the copy is removed again. */
export const secondsOfCp = async (dir: string, to: string): Promise<number> => {
  await rm(to, { recursive: true, force: true })
  const startMs = performance.now()
  await run('cp', ['-r', dir, to])
  const seconds = (performance.now() - startMs) / 1000
  await rm(to, { recursive: true, force: true })
  return seconds
}
