import type { Progress } from '../../runtime/reader/progress.ts'
import type { TableName } from '../../schemas/starrocks/tables.ts'
import { jsonBody, jsonRow } from './json-body.ts'
import type { TableRow } from './rows.ts'

/** One partition as a batch sees it: where progress goes once the batch is durable. */
export interface ProgressOwner {
  readonly partition: number
  commit(progress: Progress): Promise<void>
}

type Ranked = { readonly rank: bigint; readonly place: number; readonly text: string }
type TableRows = { readonly fixed: string[]; readonly latest: Map<string, Ranked> }

/** Rows of one table, ready to be sent, again if need be. */
export type TableBody = { readonly table: TableName; readonly rows: number; readonly body: Buffer }

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
  /** Characters of the rows' texts, near enough their bytes. */
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

  bodies(): TableBody[] {
    return [...this.#tables].map(([table, { fixed, latest }]) => ({
      table,
      rows: fixed.length + latest.size,
      body: jsonBody([...fixed, ...[...latest.values()].map(({ text }) => text)]),
    }))
  }

  #addRow({ table, cells, latest }: TableRow): void {
    const rows = this.#rowsOf(table)
    const text = jsonRow(table, cells)
    if (latest === null) {
      rows.fixed.push(text)
      this.#count(1, text.length)
      return
    }
    const before = rows.latest.get(latest.key)
    if (before && isOlder(latest, before)) return
    rows.latest.set(latest.key, { rank: latest.rank, place: latest.place, text })
    this.#count(before ? 0 : 1, text.length - (before?.text.length ?? 0))
  }

  #rowsOf(table: TableName): TableRows {
    const found = this.#tables.get(table)
    if (found) return found
    const made: TableRows = { fixed: [], latest: new Map() }
    this.#tables.set(table, made)
    return made
  }

  #count(rows: number, bytes: number): void {
    this.#rows += rows
    this.#bytes += bytes
  }
}

const isOlder = (
  next: { readonly rank: bigint; readonly place: number },
  before: { readonly rank: bigint; readonly place: number },
): boolean => next.rank < before.rank || (next.rank === before.rank && next.place < before.place)
