import { type Table, tableNamed, type TableName } from '../../schemas/starrocks/tables.ts'
import type { Cell } from './rows.ts'

/** Column names as they stand before their values: `{"a":`, `,"b":` … */
const prefixes = new Map<TableName, readonly string[]>()

const prefixesOf = (name: TableName): readonly string[] => {
  const found = prefixes.get(name)
  if (found) return found
  const table: Table = tableNamed(name)
  const made = table.columns.map((column, index) => `${index === 0 ? '{' : ','}"${column.name}":`)
  prefixes.set(name, made)
  return made
}

/** What may stand between quotes as it is: amounts, dates, states, most names. */
const plain = /^[\w .:+-]*$/

/**
 * A row as a JSON object. Every number stands in quotes: unquoted ones may pass through a double on their way.
 * @throws Error when the cells are not as many as the table's columns
 */
export const jsonRow = (table: TableName, cells: readonly Cell[]): string => {
  const names = prefixesOf(table)
  if (cells.length !== names.length) throw new Error(`${table}: ${cells.length} cells for ${names.length} columns`)
  let text = ''
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as Cell
    text += names[index]
    if (cell === null) text += 'null'
    else if (typeof cell === 'string' && !plain.test(cell)) text += JSON.stringify(cell)
    else text += `"${cell}"`
  }
  return `${text}}`
}

/** The body of a load with `strip_outer_array`. */
export const jsonBody = (rows: Iterable<string>): Buffer => Buffer.from(`[${[...rows].join(',')}]`)
