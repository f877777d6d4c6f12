import { csvRows } from './csv-text.ts'
import { formatTimeUs, parseTimeUs } from './iso-time.ts'

/** A file of an archive that is not what its table says: which table, line and column, and what stands there. */
export class ArchiveFormatError extends Error {
  override readonly name = 'ArchiveFormatError'
  readonly code = 'archive-format'
}

/** How one column is written and read; `read` throws on text that `write` never gives. */
export type Cell<T> = { readonly write: (value: T) => string; readonly read: (text: string) => T }

/** A table's columns and both directions between a row and its cells. */
export type Table<Row> = {
  readonly name: string
  /** The header line, in order. */
  readonly columns: readonly string[]
  readonly toCells: (row: Row) => string[]
  /** @throws ArchiveFormatError */
  readonly fromCells: (cells: readonly string[]) => Row
}

/** A table out of its cells, in column order; a column is its key in snake_case. */
export const defineTable = <Row extends object>(
  name: string,
  cells: { readonly [Key in keyof Row & string]: Cell<Row[Key]> },
): Table<Row> => {
  const entries = Object.entries(cells) as unknown as (readonly [keyof Row & string, Cell<unknown>])[]
  const columns = entries.map(([key]) => key.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`))
  const fromCells = (texts: readonly string[]): Row => {
    if (texts.length !== entries.length)
      throw new ArchiveFormatError(`${name}: ${texts.length} cells, its columns are ${columns.join(', ')}`)
    return Object.fromEntries(entries.map(([key, cell], i) => [key, readCell(cell, texts[i] ?? '', name, key)])) as Row
  }
  return { name, columns, toCells: row => entries.map(([key, cell]) => cell.write(row[key])), fromCells }
}

const readCell = (cell: Cell<unknown>, text: string, table: string, column: string): unknown => {
  try {
    return cell.read(text)
  } catch (cause) {
    throw new ArchiveFormatError(`${table}.${column}: ${JSON.stringify(text.slice(0, 100))} is not ${wordOf(cause)}`, {
      cause,
    })
  }
}
const wordOf = (cause: unknown): string => (cause instanceof NotA ? cause.message : String(cause))

/**
 * The rows of one file of a table, one by one, whatever its size.
 * @throws ArchiveFormatError at a header or cell that the table does not have, with its line's number among the rows
 */
export async function* readTable<Row>(
  table: Table<Row>,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Row> {
  let row = 0
  for await (const cells of csvRows(chunks)) {
    if (row === 0) {
      if (cells.join() !== table.columns.join())
        throw new ArchiveFormatError(`${table.name}: the header is ${cells.join()}, not ${table.columns.join()}`)
    } else yield fromCellsAt(table, cells, row)
    row++
  }
  if (row === 0) throw new ArchiveFormatError(`${table.name}: the file is empty, not even a header`)
}

const fromCellsAt = <Row>(table: Table<Row>, cells: readonly string[], row: number): Row => {
  try {
    return table.fromCells(cells)
  } catch (cause) {
    throw new ArchiveFormatError(`row ${row}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

class NotA extends Error {}

const matching = (pattern: RegExp, text: string, word: string): string => {
  if (!pattern.test(text)) throw new NotA(word)
  return text
}

/** Exact whole numbers of any size. */
export const bigints = <T extends bigint>(): Cell<T> => ({
  write: value => value.toString(),
  read: text => BigInt(matching(/^(0|-?[1-9]\d*)$/, text, 'a whole number')) as T,
})

/** Whole numbers that are counts or ids of few digits. */
export const integers = <T extends number>(): Cell<T> => ({
  write: value => value.toString(),
  read: text => Number(matching(/^(0|-?[1-9]\d{0,14})$/, text, 'a whole number')) as T,
})

export const text: Cell<string> = { write: value => value, read: value => value }

/** int64 µs as UTC ISO 8601 with microseconds. */
export const time: Cell<bigint> = {
  write: formatTimeUs,
  read: value => {
    const timeUs = parseTimeUs(value)
    if (timeUs === null) throw new NotA('a UTC time with microseconds')
    return timeUs
  },
}

export const oneOf = <T extends string>(...words: readonly T[]): Cell<T> => ({
  write: value => value,
  read: value => {
    const found = words.find(word => word === value)
    if (found === undefined) throw new NotA(`one of ${words.join(', ')}`)
    return found
  },
})

/** An empty cell for null. */
export const optional = <T>(cell: Cell<T>): Cell<T | null> => ({
  write: value => (value === null ? '' : cell.write(value)),
  read: value => (value === '' ? null : cell.read(value)),
})

export const hex: Cell<Buffer> = {
  write: value => value.toString('hex'),
  read: value => Buffer.from(matching(/^([0-9a-f]{2})*$/, value, 'lower-case hex'), 'hex'),
}

export const base64: Cell<Buffer> = {
  write: value => value.toString('base64'),
  read: value => {
    const bytes = Buffer.from(value, 'base64')
    if (bytes.toString('base64') !== value) throw new NotA('base64')
    return bytes
  },
}
