import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pos } from '../../core/ids.ts'
import { type ArchivePartition, archiveFileName, archiveFolder, windowOf } from '../../schemas/archive/archive-name.ts'
import { archiveTables } from '../../schemas/archive/archive-tables.ts'
import { csvText } from '../../schemas/archive/csv-text.ts'
import { type ArchivedFile, encodeSidecar, windowHash, zeroHash } from '../../schemas/archive/sidecar.ts'
import { archiveShapes } from '../verify/archive-shapes.ts'
import type { Row, RowShape } from '../verify/row-shape.ts'
import { windowMs } from './small-log.ts'

/** Writes one partition's closed windows, as a right archive would. Returns the hash of the last one. */
export const writeArchive = (options: {
  readonly dir: string
  readonly partition: ArchivePartition
  readonly rows: ReadonlyMap<RowShape, readonly Row[]>
  /** The first window that is still open. */
  readonly open: bigint
}): string => {
  const { dir, partition, rows, open } = options
  const byWindow = new Map<bigint, Map<string, Row[]>>()
  for (const table of archiveTables[partition.topic])
    for (const row of rows.get(archiveShapes[table]) ?? []) {
      const window = windowOf(BigInt(row[1] ?? 0), windowMs)
      if (Number(row[0]) !== partition.partition || window >= open) continue
      const files = byWindow.get(window) ?? new Map<string, Row[]>()
      byWindow.set(window, files.set(table, [...(files.get(table) ?? []), row]))
    }
  let before = zeroHash
  for (const [window, files] of [...byWindow].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const archived = [...files].map(([table, each]) => writeTable({ dir, partition, window, table, rows: each }))
    const hashed = { ...partition, windowMs, window, before, files: archived }
    const sidecar = {
      ...hashed,
      hash: windowHash(hashed),
      read: { firstOffset: 0n, lastOffset: 0n, firstN: 0n, lastN: 0n },
    }
    const folder = join(dir, ...archiveFolder({ ...partition, table: 'windows' }))
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, archiveFileName({ ...partition, table: 'windows', window })), encodeSidecar(sidecar))
    before = sidecar.hash
  }
  return before
}

const writeTable = (options: {
  readonly dir: string
  readonly partition: ArchivePartition
  readonly window: bigint
  readonly table: string
  readonly rows: readonly Row[]
}): ArchivedFile => {
  const { dir, partition, window, rows } = options
  const table = options.table as ArchivedFile['table']
  const header = archiveShapes[table].columns.slice(1)
  const cells = inOrder(
    header,
    rows.map(row => row.slice(1).map(cell => cell ?? '')),
  )
  const bytes = Buffer.from(csvText([header, ...cells]))
  const folder = join(dir, ...archiveFolder({ ...partition, table }))
  mkdirSync(folder, { recursive: true })
  const name = archiveFileName({ ...partition, table, window })
  writeFileSync(join(folder, name), bytes)
  const [first, last] = [rows[0]?.[1], rows.at(-1)?.[1]].map(each => BigInt(each ?? 0) as Pos) as [Pos, Pos]
  return {
    table,
    name,
    rows: BigInt(rows.length),
    firstPos: first,
    lastPos: last,
    bytes: BigInt(bytes.length),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }
}

/** By pos, then user, then place in the output; rows of one table come by pos. */
const inOrder = (header: readonly string[], rows: readonly (readonly string[])[]): readonly (readonly string[])[] => {
  const user = header.findIndex(name => name === 'user' || name === 'buyer')
  if (user < 0) return rows
  const keys = [header.indexOf('pos'), user, header.indexOf('idx')]
  const order = (a: readonly string[], b: readonly string[]): number => {
    const key = keys.find(each => a[each] !== b[each])
    return key === undefined ? 0 : Number(BigInt(a[key] ?? 0) - BigInt(b[key] ?? 0))
  }
  return [...rows].sort(order)
}
