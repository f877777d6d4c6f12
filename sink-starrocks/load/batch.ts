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

/** Where the newest row of a key stands. */
type Ranked = { readonly rank: bigint; readonly place: number; readonly start: number; readonly end: number }
type TableRows = {
  readonly texts: RowBytes
  readonly latest: Map<string, Ranked>
  /** Rows that are what they are for ever; a table has such rows or those of `latest`. */
  fixed: number
  form: CsvForm
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
  /** What the rows take, those that newer ones replaced included. */
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
    const sizes = [...this.#tables].map(([table, { texts }]) => ({ table, bytes: texts.length }))
    return sizes.sort((one, other) => other.bytes - one.bytes).map(({ table }) => table)
  }

  /** Made when it is needed: where rows were replaced, it is a copy of those that were not. */
  bodyOf(table: TableName): TableBody {
    const { texts, fixed, latest, form } = this.#rowsOf(table)
    const { bytes } = texts
    const newest = [...latest.values()].map(({ start, end }) => bytes.subarray(start, end))
    return { table, rows: fixed + latest.size, form, body: fixed > 0 ? bytes : Buffer.concat(newest) }
  }

  #addRow({ table, cells, latest }: TableRow): void {
    const rows = this.#rowsOf(table)
    const before = latest && rows.latest.get(latest.key)
    if (before && isOlder(latest, before)) return
    const { text, form } = csvRow(cells)
    if (form === 'enclosed') rows.form = form
    const start = rows.texts.append(text)
    const end = rows.texts.length
    if (latest === null) rows.fixed++
    else rows.latest.set(latest.key, { rank: latest.rank, place: latest.place, start, end })
    this.#rows += before ? 0 : 1
    this.#bytes += end - start
  }

  #rowsOf(table: TableName): TableRows {
    const found = this.#tables.get(table)
    if (found) return found
    const made: TableRows = { texts: new RowBytes(), latest: new Map(), fixed: 0, form: 'plain' }
    this.#tables.set(table, made)
    return made
  }
}

const isOlder = (
  next: { readonly rank: bigint; readonly place: number },
  before: { readonly rank: bigint; readonly place: number },
): boolean => next.rank < before.rank || (next.rank === before.rank && next.place < before.place)
