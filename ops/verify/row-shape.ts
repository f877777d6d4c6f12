import type { Difference, PlaceName } from './tally.ts'

/** A table as rows of texts: the first `key` columns name a row. */
export type RowShape = {
  readonly place: PlaceName
  readonly table: string
  readonly columns: readonly string[]
  readonly key: number
}

/** Cells in the order of the columns, each in the one text that its value has; null for nothing. */
export type Row = readonly (string | null)[]

/** `order_id=17 pos=1700000000000000` */
const keyOf = ({ columns, key }: RowShape, row: Row): string =>
  columns
    .slice(0, key)
    .map((column, i) => `${column}=${row[i] ?? 'null'}`)
    .join(' ')

const shownRow = ({ columns, key }: RowShape, row: Row): string =>
  columns
    .slice(key)
    .map((column, i) => `${column}=${shownCell(row[key + i])}`)
    .join(' ')

const maxShown = 300

const shownCell = (cell: string | null | undefined): string => {
  const text = cell ?? 'null'
  return text.length <= maxShown ? text : `${text.slice(0, maxShown)}… (${text.length} characters)`
}

export const missingRow = (shape: RowShape, expected: Row): Difference => ({
  kind: 'missing',
  key: keyOf(shape, expected),
  expected: shownRow(shape, expected),
})

export const extraRow = (shape: RowShape, found: Row): Difference => ({
  kind: 'extra',
  key: keyOf(shape, found),
  found: shownRow(shape, found),
})

/** Every column in which two rows of one key differ. */
export const differentCells = (shape: RowShape, expected: Row, found: Row): readonly Difference[] =>
  shape.columns.flatMap((column, i) => {
    const [should, is] = [expected[i] ?? null, found[i] ?? null]
    if (should === is) return []
    return [
      {
        kind: 'different' as const,
        key: keyOf(shape, expected),
        column,
        expected: shownCell(should),
        found: shownCell(is),
      },
    ]
  })
