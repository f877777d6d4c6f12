import { createReadStream } from 'node:fs'
import type { Pos } from '../../core/ids.ts'
import { Stop } from '../../runtime/stop.ts'
import { windowOf } from '../../schemas/archive/archive-name.ts'
import type { ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import { outputsTable } from '../../schemas/archive/outputs-table.ts'
import type { ArchivedFile, Sidecar } from '../../schemas/archive/sidecar.ts'
import { readTable, type Table } from '../../schemas/archive/table.ts'
import { userTables } from '../../schemas/archive/user-tables.ts'
import { type Digest, digestOf, isFormatError, isMissing, RunningDigest, unreadable } from './archive-files.ts'

export type AnyRow = { readonly pos: Pos }
export const tables = { ...userTables, outputs: outputsTable } as unknown as Readonly<
  Record<ArchiveTable, Table<AnyRow>>
>

/** `line`: of the file's text, null when it is about the file as a whole. */
export type FileProblem = {
  readonly kind: 'missing' | 'changed'
  readonly line: number | null
  readonly problem: string
}

/** The header is line 1. */
const firstRowLine = 2

/**
 * A file row by row, whatever its size, held to its sidecar: grammar, order, window, counts, bytes, hash.
 * @throws Stop `archive-unreadable`
 */
export async function* rowsOf(options: {
  readonly path: string
  readonly sidecar: Pick<Sidecar, 'window' | 'windowMs'>
  readonly file: ArchivedFile
  readonly onProblem: (problem: FileProblem) => void
}): AsyncGenerator<{ readonly row: AnyRow; readonly line: number }> {
  const { path, file, onProblem } = options
  const { window, windowMs } = options.sidecar
  const digest = new RunningDigest()
  const chunks = digest.through(createReadStream(path) as AsyncIterable<Buffer>)
  let [line, first, last] = [firstRowLine, null as Pos | null, null as Pos | null]
  const tell = (at: number | null, problem: string): void => onProblem({ kind: 'changed', line: at, problem })
  try {
    for await (const row of readTable(tables[file.table], chunks)) {
      first ??= row.pos
      if (last !== null && row.pos < last) tell(line, `pos falls from ${last} to ${row.pos}`)
      if (windowOf(row.pos, windowMs) !== window) tell(line, `pos ${row.pos} is of another window than ${window}`)
      last = row.pos
      yield { row, line }
      line++
    }
  } catch (error) {
    if (isMissing(error)) {
      onProblem({ kind: 'missing', line: null, problem: 'the file is not there, its sidecar names it' })
      return
    }
    if (!isFormatError(error)) throw error instanceof Stop ? error : unreadable(path, error)
    tell(csvLine(error) ?? line, error instanceof Error ? error.message : String(error))
    await checkBytes(path, file, tell)
    return
  }
  const rows = BigInt(line - firstRowLine)
  compareBytes(digest.end(), file, tell)
  if (rows !== file.rows) tell(null, `it has ${rows} rows, its sidecar says ${file.rows}`)
  if (first !== file.firstPos || last !== file.lastPos)
    tell(null, `its rows go from pos ${first} to ${last}, its sidecar says ${file.firstPos} to ${file.lastPos}`)
}

type Tell = (line: null, problem: string) => void

/** Of a file that could not be read row by row to its end. */
const checkBytes = async (path: string, file: ArchivedFile, tell: Tell): Promise<void> => {
  const digest = await digestOf(path)
  if (digest) compareBytes(digest, file, tell)
}

const compareBytes = ({ bytes, sha256 }: Digest, file: ArchivedFile, tell: Tell): void => {
  if (bytes !== file.bytes) tell(null, `it has ${bytes} bytes, its sidecar says ${file.bytes}`)
  if (sha256 !== file.sha256) tell(null, `its SHA-256 is ${sha256}, its sidecar says ${file.sha256}`)
}

/** The parser reads ahead of the rows that it hands on, so its own word for the line counts. */
const csvLine = (error: unknown): number | null => {
  const { lines } = error as { readonly lines?: unknown }
  return typeof lines === 'number' ? lines : null
}
