import type { Cell } from './rows.ts'

/** How a body is read: `plain` knows only tabs and line ends, `enclosed` also fields between double quotes. */
export type CsvForm = 'plain' | 'enclosed'

/** What a plain field can't hold: its separators, and what could be taken for a quote or for the NULL that is written \N. */
const special = /[\t\n\r"\\]/

/**
 * One line of the CSV that Stream Load reads by default: tabs between fields, \N for NULL. Every number is written out
 * exactly; nothing passes through a double. Free text that needs it stands in quotes, which makes the body `enclosed`.
 */
export const csvRow = (cells: readonly Cell[]): { readonly text: string; readonly form: CsvForm } => {
  let text = ''
  let form: CsvForm = 'plain'
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as Cell
    if (index > 0) text += '\t'
    if (cell === null) text += '\\N'
    else if (typeof cell === 'string' && special.test(cell)) {
      form = 'enclosed'
      text += `"${cell.replaceAll('"', '""')}"`
    } else text += cell
  }
  return { text: `${text}\n`, form }
}
