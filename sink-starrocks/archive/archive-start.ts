import { type ArchivePartition, windowOf } from '../../schemas/archive/archive-name.ts'
import { zeroHash } from '../../schemas/archive/sidecar.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { refuse } from '../../runtime/stop.ts'
import type { ArchiveFolder } from './archive-folder.ts'
import { parseNote } from './archive-note.ts'

/** As Kafka's tools name a partition. */
export const nameOf = ({ stream, topic, partition }: ArchivePartition): string => `${stream}.${topic}-${partition}`

/** The one place that every archive can begin at again: it writes the same bytes under the same names. */
export const wayBack = ({ topic }: ArchivePartition): string =>
  `stop the archive, then: settle replay --group ${topic === 'user.outputs' ? 'archive' : 'archive-log'} --to start`

/** The hash to chain on, out of what was committed with the offset. @throws Stop when it is not the archive's */
export const hashBefore = (start: Progress, windowMs: number, partition: ArchivePartition): string => {
  if (start.note === undefined && start.pos === 0n) return zeroHash
  const note = parseNote(start.note)
  if (note === null)
    throw refuse(
      'archive-no-hash',
      `${nameOf(partition)}: the offset ${start.offset} was committed without the hash of the window before it (note ${start.note ?? 'missing'}); ${wayBack(partition)}`,
      { offset: start.offset },
    )
  if (note.windowMs !== windowMs)
    throw refuse(
      'archive-window-length',
      `${nameOf(partition)}: WINDOW_MS=${windowMs}, but this archive was made with ${note.windowMs}: windows of two lengths overlap. Keep the old one, or archive into an empty folder with new groups`,
      { windowMs, madeWith: note.windowMs },
    )
  return note.hash
}

/**
 * The folder may be this machine's alone and lack windows that others wrote; what it has must fit.
 * @throws Stop when it holds windows of another length, or of another log
 */
export const checkFolder = async ({
  folder,
  start,
  before,
  windowMs,
  dir,
}: {
  readonly folder: ArchiveFolder
  readonly start: Progress
  readonly before: string
  readonly windowMs: number
  readonly dir: string
}): Promise<void> => {
  const last = await folder.lastSidecar()
  if (last && last.windowMs !== windowMs)
    throw refuse(
      'archive-window-length',
      `WINDOW_MS=${windowMs}, but ${dir} holds windows of ${last.windowMs} ms of this partition; keep that length or use an empty folder`,
      { windowMs, madeWith: last.windowMs },
    )
  const committed = start.pos === 0n ? null : await folder.sidecar(windowOf(start.pos, windowMs))
  if (committed && committed.hash !== before)
    throw refuse(
      'archive-conflict',
      `window ${committed.window} in ${dir} has hash ${committed.hash}, the committed offset carries ${before}: the folder is of another log, or the offset is`,
      { window: committed.window, there: committed.hash, committed: before },
    )
}
