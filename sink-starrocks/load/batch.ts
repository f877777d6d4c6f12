import type { Progress } from '../../runtime/reader/progress.ts'
import type { TableName } from '../../schemas/starrocks/tables.ts'
import { type CsvForm, csvRow } from './csv-row.ts'
import { RowBytes } from './row-bytes.ts'
import type { TableRow } from './rows.ts'

/** One partition as a batch sees it: where progress goes once the batch is durable. */
export interface ProgressOwner {
  readonly partition: number
  commit(progress: Progress): Promise<void>
}

type LatestRow = TableRow & { readonly latest: NonNullable<TableRow['latest']> }
type TableRows = {
  /** Rows that are what they are for ever; a table has such rows or those of `latest`. */
  readonly texts: RowBytes
  fixed: number
  form: CsvForm
  /** The newest row of each key: most are replaced before they are sent, so their text is made when they are. */
  readonly latest: Map<string, LatestRow>
  bytes: number
}

/** Rows of one table, ready to be sent, again if need be. */
export type TableBody = {
  readonly table: TableName
  readonly rows: number
  readonly form: CsvForm
  readonly body: Buffer
}

/** Rows of many records on their way to StarRocks, folded per key, with the progress that they stand for. */
export class Batch {
  readonly #tables = new Map<TableName, TableRows>()
  readonly #progress = new Map<ProgressOwner, Progress>()
  #rows = 0
  #bytes = 0
  #records = 0
  #oldestPos: bigint | null = null

  get rows(): number {
    return this.#rows
  }
  /** What the rows take; of one that was replaced, what the first of its key took. */
  get bytes(): number {
    return this.#bytes
  }
  get records(): number {
    return this.#records
  }
  /** Of the records that brought rows; null without one. */
  get oldestPos(): bigint | null {
    return this.#oldestPos
  }
  get progress(): ReadonlyMap<ProgressOwner, Progress> {
    return this.#progress
  }

  /** Takes one record whole: rows of one record never part, so of one key at one pos only the last is ever sent. */
  add(owner: ProgressOwner, progress: Progress, rows: readonly TableRow[]): void {
    for (const each of rows) this.#addRow(each)
    this.#progress.set(owner, progress)
    this.#records++
    if (rows.length > 0 && (this.#oldestPos === null || progress.pos < this.#oldestPos)) this.#oldestPos = progress.pos
  }

  /** The largest first: of several loads side by side the last should not be the longest. */
  get tables(): TableName[] {
    return [...this.#tables].sort(([, one], [, other]) => other.bytes - one.bytes).map(([table]) => table)
  }

  bodyOf(table: TableName): TableBody {
    const { texts, fixed, latest, form } = this.#rowsOf(table)
    if (fixed > 0) return { table, rows: fixed, form, body: texts.bytes }
    const newest = new RowBytes()
    const forms = [...latest.values()].map(({ cells }) => appendRow(newest, cells))
    return { table, rows: latest.size, form: forms.includes('enclosed') ? 'enclosed' : 'plain', body: newest.bytes }
  }

  #addRow(row: TableRow): void {
    const rows = this.#rowsOf(row.table)
    const { latest } = row
    if (latest === null) {
      const start = rows.texts.length
      if (appendRow(rows.texts, row.cells) === 'enclosed') rows.form = 'enclosed'
      rows.fixed++
      this.#count(rows, rows.texts.length - start)
      return
    }
    const before = rows.latest.get(latest.key)
    if (before && isOlder(latest, before.latest)) return
    rows.latest.set(latest.key, { ...row, latest })
    if (!before) this.#count(rows, Buffer.byteLength(csvRow(row.cells).text))
  }

  #count(rows: TableRows, bytes: number): void {
    rows.bytes += bytes
    this.#bytes += bytes
    this.#rows++
  }

  #rowsOf(table: TableName): TableRows {
    const found = this.#tables.get(table)
    if (found) return found
    const made: TableRows = { texts: new RowBytes(), fixed: 0, form: 'plain', latest: new Map(), bytes: 0 }
    this.#tables.set(table, made)
    return made
  }
}

/** Adds a row's text behind the others. */
const appendRow = (texts: RowBytes, cells: TableRow['cells']): CsvForm => {
  const { text, form } = csvRow(cells)
  texts.append(text)
  return form
}

const isOlder = (next: LatestRow['latest'], before: LatestRow['latest']): boolean =>
  next.rank < before.rank || (next.rank === before.rank && next.place < before.place)
