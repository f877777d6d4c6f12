import Table from 'cli-table3'

/** A table for people: plain lines; columns of numbers to the right. */
export const textTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const isNumber = (column: number): boolean => rows.every(row => /^-?[\d,.]*$/.test(row[column] ?? ''))
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (isNumber(column) ? 'right' : 'left')),
  })
  for (const row of rows) table.push([...row])
  return table.toString()
}
