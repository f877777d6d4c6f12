import { join } from 'node:path'
import type { FilesPort } from '../../runtime/files.ts'
import { archiveFileName, archiveFolder } from '../../schemas/archive/archive-name.ts'
import { archiveTables } from '../../schemas/archive/archive-tables.ts'
import type { Survey } from '../archive/survey.ts'

/** A file of the archive: its folders, the stream's first, and its name. */
type Placed = { readonly folders: readonly string[]; readonly name: string }

/**
 * Files of windows behind the log's last one. Their outputs are not in the log that is restored: the engine replays
 * them, the bridge stamps them anew, and they are archived in later windows. A sidecar comes before its files: without
 * it they are unfinished, as after a crash.
 */
export const filesBehind = ({ log, users }: Survey, lastWindow: bigint): readonly Placed[] =>
  [log, ...users].flatMap(({ partition, windows }) =>
    (['windows', ...archiveTables[partition.topic]] as const).flatMap(table =>
      windows[table]
        .filter(window => window > lastWindow)
        .map(window => ({
          folders: archiveFolder({ ...partition, table }),
          name: archiveFileName({ ...partition, table, window }),
        })),
    ),
  )

/** Moves files out of the archive into a folder beside it. Nothing is written over. @throws Stop of `fileStop` */
export const setAside = async (
  files: FilesPort,
  { dir, to, placed }: { readonly dir: string; readonly to: string; readonly placed: readonly Placed[] },
): Promise<void> => {
  const made = new Set<string>()
  for (const { folders, name } of placed) {
    const below = folders.slice(1)
    const [from, target] = [join(dir, ...folders), join(dir, to, ...below)]
    if (!made.has(target)) await makeFolders(files, dir, [to, ...below])
    made.add(target)
    await files.rename(join(from, name), join(target, name))
    await files.syncFolder(target)
    await files.syncFolder(from)
  }
}

const makeFolders = async (files: FilesPort, dir: string, folders: readonly string[]): Promise<void> => {
  let parent = dir
  for (const name of folders) {
    const child = join(parent, name)
    await files.makeFolder(child)
    await files.syncFolder(parent)
    parent = child
  }
}
