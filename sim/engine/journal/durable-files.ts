import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the names in a folder durable. */
export const syncFolder = async (folder: string): Promise<void> => {
  await using handle: FileHandle = await open(folder, 'r')
  await handle.sync()
}

/** Puts a file in place whole and durable: written beside it, synced, renamed. A crash leaves the old one or the new. */
export const replaceFile = async (path: string, content: string | Buffer): Promise<void> => {
  const beside = `${path}.new`
  {
    await using handle = await open(beside, 'w')
    await handle.writeFile(content)
    await handle.sync()
  }
  await rename(beside, path)
  await syncFolder(dirname(path))
}
