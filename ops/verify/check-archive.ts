import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pos } from '../../core/ids.ts'
import { Stop } from '../../runtime/stop.ts'
import { chainProblems } from '../../schemas/archive/archive-chain.ts'
import {
  type ArchivePartition,
  archiveFileName,
  archiveFolder,
  parseArchiveFileName,
  windowOf,
} from '../../schemas/archive/archive-name.ts'
import { archiveTables, type ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { outputsTable } from '../../schemas/archive/outputs-table.ts'
import { type ArchivedFile, decodeSidecar, type Sidecar, zeroHash } from '../../schemas/archive/sidecar.ts'
import { ArchiveFormatError, readTable, type Table } from '../../schemas/archive/table.ts'
import { userTables } from '../../schemas/archive/user-tables.ts'
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

type AnyRow = { readonly pos: Pos }
const tables = { ...userTables, outputs: outputsTable } as unknown as Readonly<Record<ArchiveTable, Table<AnyRow>>>

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

const checkFile = async (check: ArchiveCheck, sidecar: Sidecar, file: ArchivedFile): Promise<void> => {
  const { table, name } = file
  check.tally.compared('CSV', 'files')
  const path = join(folderOf(check, table), name)
  const digest = await digestOf(path)
  if (!digest) return check.tally.differ('CSV', 'files', { kind: 'missing', key: name, expected: 'the file' })
  const problems = await readRows({ check, sidecar, file, path })
  if (digest.bytes !== file.bytes) problems.add(`it has ${digest.bytes} bytes, its sidecar says ${file.bytes}`)
  if (digest.sha256 !== file.sha256) problems.add(`its SHA-256 is ${digest.sha256}, its sidecar says ${file.sha256}`)
  for (const problem of problems) broken(check, 'files', name, problem)
}

/** Hands on the rows; returns what is wrong with them as rows of this window. */
const readRows = async ({
  check: { barrier, partition, sink, wants },
  sidecar: { window, windowMs },
  file: { table, rows, firstPos, lastPos },
  path,
}: {
  readonly check: ArchiveCheck
  readonly sidecar: Sidecar
  readonly file: ArchivedFile
  readonly path: string
}): Promise<Set<string>> => {
  const shape = archiveShapes[table]
  const problems = new Set<string>()
  const read: { rows: bigint; first: Pos | null; last: Pos | null } = { rows: 0n, first: null, last: null }
  try {
    for await (const row of readTable(tables[table], createReadStream(path))) {
      read.rows++
      read.first ??= row.pos
      if (read.last !== null && row.pos < read.last) problems.add(`pos falls from ${read.last} to ${row.pos}`)
      if (windowOf(row.pos, windowMs) !== window) problems.add(`pos ${row.pos} is of another window`)
      read.last = row.pos
      if (row.pos <= barrier && wants(shape)) sink.found(shape, archiveRow(tables[table], partition.partition, row))
    }
  } catch (error) {
    if (!isFormat(error)) throw unreadable(path, error)
    return problems.add(error instanceof Error ? error.message : String(error))
  }
  if (read.rows !== rows) problems.add(`it has ${read.rows} rows, its sidecar says ${rows}`)
  if (read.first !== firstPos || read.last !== lastPos)
    problems.add(`its rows go from pos ${read.first} to ${read.last}, its sidecar says ${firstPos} to ${lastPos}`)
  return problems
}

/** Null when the file is not there. */
const digestOf = async (path: string): Promise<{ readonly sha256: string; readonly bytes: bigint } | null> => {
  const checksum = createHash('sha256')
  let bytes = 0n
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      checksum.update(chunk)
      bytes += BigInt(chunk.length)
    }
  } catch (error) {
    if (isMissing(error)) return null
    throw unreadable(path, error)
  }
  return { sha256: checksum.digest('hex'), bytes }
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
const finished = async (folder: string): Promise<readonly string[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw unreadable(folder, error)
  })
  return names.filter(name => !name.endsWith('.part')).sort()
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'
const isFormat = (error: unknown): boolean =>
  error instanceof ArchiveFormatError || (error as { readonly code?: string }).code?.startsWith('CSV_') === true

const unreadable = (path: string, cause: unknown): Stop =>
  new Stop({
    code: 'archive-unreadable',
    reason: 'failed',
    message: `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}; look at ARCHIVE_DIR and its permissions`,
    cause,
  })

/** The archive's folder must be there: one that is not mounted is not an archive without files. @throws Stop */
export const requireFolder = async (dir: string): Promise<void> => {
  await readdir(dir).catch((error: unknown) => {
    throw unreadable(dir, error)
  })
}
