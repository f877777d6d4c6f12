import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveFolder, parseArchiveFileName } from '../../schemas/archive/archive-name.ts'

export type ArchiveStatus = {
  /** Windows of all partitions of both topics. */
  readonly windows: number
  /** The newest file of each topic, of its partition that is furthest on. */
  readonly newest: readonly string[]
}

/** Looks at the names of the finished windows. @throws Error when the folder can't be read */
export const readArchiveStatus = async (options: {
  readonly dir: string
  readonly stream: string
  readonly partitions: number
}): Promise<ArchiveStatus> => {
  const { dir, stream, partitions } = options
  await readdir(dir)
  let windows = 0
  const newest: string[] = []
  for (const [topic, count] of [['engine.outputs', 1] as const, ['user.outputs', partitions] as const]) {
    let last: { readonly window: bigint; readonly name: string } | null = null
    for (let partition = 0; partition < count; partition++) {
      const folder = archiveFolder({ stream, topic, partition, partitions: count, table: 'windows' })
      for (const name of await namesIn(join(dir, ...folder))) {
        const place = parseArchiveFileName(name)
        if (!place) continue
        windows++
        if (!last || place.window > last.window) last = { window: place.window, name }
      }
    }
    if (last) newest.push(last.name)
  }
  return { windows, newest }
}

/** A partition without a closed window has no folder yet. */
const namesIn = async (folder: string): Promise<readonly string[]> => {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
