import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Another engine works in the folder. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'
}

/**
 * Keeps a second engine out of a journal's folder by a file with our process id. One left by a process that is no more
 * is taken over; so is one with our own id, which a restarted container gives out again.
 * @throws FolderInUse
 */
export const lockFolder = async (folder: string): Promise<() => Promise<void>> => {
  await mkdir(folder, { recursive: true })
  const path = join(folder, 'engine.pid')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await using file = await open(path, 'wx')
      await file.writeFile(`${process.pid}\n`)
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const owner = Number((await readFile(path, 'utf8').catch(() => '')).trim())
      if (owner > 0 && owner !== process.pid && isAlive(owner))
        throw new FolderInUse(
          `${folder} is in use by process ${owner}; stop it, or remove ${path} if that is no engine`,
        )
      await rm(path, { force: true })
    }
  }
  throw new FolderInUse(`${folder}: another engine starts at the same time`)
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
