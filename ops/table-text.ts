import Table from 'cli-table3'

/** A table for people: a header, plain lines, numbers to the right when `right` names their columns. */
export const tableText = (
  head: readonly string[],
  rows: readonly (readonly (string | number | bigint)[])[],
  right: readonly string[] = [],
): string => {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map(name => (right.includes(name) ? 'right' : 'left')),
  })
  for (const row of rows) table.push(row.map(cell => `${cell}`))
  return table.toString()
}
