import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pos } from '../../core/ids.ts'
import { chainProblems } from '../../schemas/archive/archive-chain.ts'
import {
  type ArchivePartition,
  archiveFileName,
  archiveFolder,
  parseArchiveFileName,
  windowOf,
} from '../../schemas/archive/archive-name.ts'
import { archiveTables, type ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { type ArchivedFile, decodeSidecar, type Sidecar, zeroHash } from '../../schemas/archive/sidecar.ts'
import { ArchiveFormatError } from '../../schemas/archive/table.ts'
import { namesIn, unreadable } from '../archive/archive-files.ts'
import { type FileProblem, rowsOf, tables } from '../archive/read-rows.ts'
import { archiveRow, archiveShapes } from './archive-shapes.ts'
import type { RowShape } from './row-shape.ts'
import type { RowSink } from './row-sets.ts'
import type { Tally } from './tally.ts'

/** How far the archive has come in a partition: pos of the last record of its last closed window, and its hash. */
type ArchiveProgress = { readonly pos: Pos; readonly hash: string | null }

export type ArchiveCheck = {
  readonly dir: string
  readonly partition: ArchivePartition
  readonly progress: ArchiveProgress
  readonly barrier: Pos
  readonly tally: Tally
  readonly sink: RowSink
  readonly wants: (shape: RowShape) => boolean
}

/**
 * Checks one partition's folders by themselves (sidecars, their chain up to the committed hash, every file's bytes,
 * counts and windows, files that nothing accounts for) and hands on the rows up to the barrier.
 * @throws Stop `archive-unreadable`
 */
export const checkArchive = async (check: ArchiveCheck): Promise<void> => {
  const sidecars = await readSidecars(check)
  for (const problem of chainProblems(sidecars)) broken(check, 'windows', 'chain', problem)
  checkProgress(check, sidecars)
  for (const sidecar of sidecars) for (const file of sidecar.files) await checkFile(check, sidecar, file)
  await checkStrays(check, sidecars)
}

const broken = ({ tally }: ArchiveCheck, table: string, key: string, problem: string): void =>
  tally.differ('CSV', table, { kind: 'broken', key, problem })

const readSidecars = async (check: ArchiveCheck): Promise<readonly Sidecar[]> => {
  const { partition, tally } = check
  const folder = folderOf(check, 'windows')
  const sidecars: Sidecar[] = []
  for (const name of await finished(folder)) {
    tally.compared('CSV', 'windows')
    const place = parseArchiveFileName(name)
    if (!place || archiveFileName({ ...partition, table: 'windows', window: place.window }) !== name) {
      tally.differ('CSV', 'windows', { kind: 'extra', key: name, found: 'a file that is no window of this partition' })
      continue
    }
    const sidecar = await readSidecar(check, join(folder, name), name)
    if (!sidecar) continue
    if (archiveFileName({ ...sidecar, table: 'windows' }) === name) sidecars.push(sidecar)
    else broken(check, 'windows', name, `it says that it is ${archiveFileName({ ...sidecar, table: 'windows' })}`)
  }
  return sidecars
}

const readSidecar = async (check: ArchiveCheck, path: string, name: string): Promise<Sidecar | null> => {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  try {
    return decodeSidecar(bytes, name)
  } catch (error) {
    if (!(error instanceof ArchiveFormatError)) throw error
    broken(check, 'windows', name, error.message)
    return null
  }
}

/** The chain must reach the hash that the archive committed: else the last windows are gone or others. */
const checkProgress = (check: ArchiveCheck, sidecars: readonly Sidecar[]): void => {
  const { progress } = check
  if (progress.hash === null) return
  const last = sidecars.findLast(({ window, windowMs }) => window <= windowOf(progress.pos, windowMs))
  const hash = last?.hash ?? zeroHash
  if (hash !== progress.hash)
    broken(
      check,
      'windows',
      last ? archiveFileName({ ...last, table: 'windows' }) : 'no window',
      `the chain ends with hash ${hash} at pos ${progress.pos}, the archive committed ${progress.hash}: windows are missing or others`,
    )
}

/** Holds a file to its sidecar, and hands on its rows up to the barrier. */
const checkFile = async (check: ArchiveCheck, sidecar: Sidecar, file: ArchivedFile): Promise<void> => {
  const { barrier, partition, sink, tally, wants } = check
  const { table, name } = file
  tally.compared('CSV', 'files')
  const shape = archiveShapes[table]
  const problems = new Set<string>()
  const onProblem = ({ kind, problem }: FileProblem): void => {
    if (kind === 'missing') tally.differ('CSV', 'files', { kind: 'missing', key: name, expected: 'the file' })
    else problems.add(problem)
  }
  for await (const { row } of rowsOf({ path: join(folderOf(check, table), name), sidecar, file, onProblem }))
    if (row.pos <= barrier && wants(shape)) sink.found(shape, archiveRow(tables[table], partition.partition, row))
  for (const problem of problems) broken(check, 'files', name, problem)
}

/** Files of closed windows that no sidecar names. An open window's parts, and finals without their sidecar yet, are fine. */
const checkStrays = async (check: ArchiveCheck, sidecars: readonly Sidecar[]): Promise<void> => {
  const { partition, progress, tally } = check
  const named = new Set(sidecars.flatMap(({ files }) => files.map(({ name }) => name)))
  const windowMs = sidecars.at(-1)?.windowMs
  for (const table of archiveTables[partition.topic])
    for (const name of await finished(folderOf(check, table))) {
      if (named.has(name)) continue
      const place = parseArchiveFileName(name)
      const isOurs = place !== null && archiveFileName({ ...partition, table, window: place.window }) === name
      if (isOurs && (windowMs === undefined || place.window > windowOf(progress.pos, windowMs))) continue
      tally.differ('CSV', 'files', { kind: 'extra', key: name, found: 'a file that no sidecar names' })
    }
}

const folderOf = ({ dir, partition }: ArchiveCheck, table: ArchiveTable | 'windows'): string =>
  join(dir, ...archiveFolder({ ...partition, table }))

/** Names of a folder but for the parts that the archive has not finished; none where nothing was written yet. */
const finished = async (folder: string): Promise<readonly string[]> =>
  ((await namesIn(folder)) ?? []).filter(name => !name.endsWith('.part'))
