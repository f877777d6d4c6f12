import type { Pos } from '../../core/ids.ts'
import { differentCells, extraRow, missingRow, type Row, type RowShape } from './row-shape.ts'
import type { Tally } from './tally.ts'

type Found = { readonly pos: Pos | null; readonly text: string }

export type StateTableOptions = {
  readonly shape: RowShape
  /** The barrier's pos: rows that were changed after it are compared with the log at their own pos. */
  readonly barrier: Pos
  readonly tally: Tally
  /** True when a row may stand still behind what the log says: its user is parked. */
  readonly excused?: (options: { readonly expected: Row; readonly found: Row | null }) => boolean
}

/**
 * A table whose rows change. The place goes on while it is read, so a row is either as the log makes it at the
 * barrier, or as it makes it at the row's own, later pos. Rows are kept as one text each, some 300 bytes.
 */
export class StateTable {
  readonly #options: StateTableOptions
  readonly #found = new Map<string, Found>()
  readonly #doubled: Row[] = []
  #stood = 0

  constructor(options: StateTableOptions) {
    this.#options = options
  }

  get shape(): RowShape {
    return this.#options.shape
  }

  /** Rows that stand still because their users are parked. */
  get stood(): number {
    return this.#stood
  }

  /** A row of the place. `pos`: of its last change; null when the table does not tell. */
  found(row: Row, pos: Pos | null): void {
    const { shape, tally } = this.#options
    tally.compared(shape.place, shape.table)
    const key = this.#key(row)
    if (this.#found.has(key)) this.#doubled.push(row)
    this.#found.set(key, { pos, text: JSON.stringify(row) })
  }

  /** pos of the row with that key, as long as nothing explained it; null when there is none. */
  foundPos(row: Row): Pos | null {
    return this.#found.get(this.#key(row))?.pos ?? null
  }

  /** What the log calls for at the barrier: once for each row. */
  expected(row: Row): void {
    const { barrier, shape, tally } = this.#options
    const key = this.#key(row)
    const found = this.#found.get(key)
    if (!found) {
      if (!this.#excuse(row, null)) tally.differ(shape.place, shape.table, missingRow(shape, row))
    } else if (found.pos === null || found.pos <= barrier) {
      this.#found.delete(key)
      this.#compare(row, found)
    }
  }

  /** All of the barrier has been called for: what is left and not newer should not be there. */
  endOfBarrier(): void {
    for (const [key, { pos, text }] of this.#found) {
      if (pos === null || pos > this.#options.barrier) continue
      this.#extra(JSON.parse(text) as Row)
      this.#found.delete(key)
    }
  }

  /** A record after the barrier leaves the row so. */
  changed(row: Row, pos: Pos): void {
    const key = this.#key(row)
    const found = this.#found.get(key)
    if (!found || (found.pos !== null && found.pos !== pos)) return
    this.#found.delete(key)
    this.#compare(row, found)
  }

  /** The log is at its end: what it did not explain differs. */
  end(): void {
    for (const { text } of this.#found.values()) this.#extra(JSON.parse(text) as Row)
    for (const row of this.#doubled) this.#extra(row)
  }

  #compare(expected: Row, { text }: Found): void {
    if (text === JSON.stringify(expected)) return
    const { shape, tally } = this.#options
    const found = JSON.parse(text) as Row
    if (this.#excuse(expected, found)) return
    for (const each of differentCells(shape, expected, found)) tally.differ(shape.place, shape.table, each)
  }

  #excuse(expected: Row, found: Row | null): boolean {
    const excused = this.#options.excused?.({ expected, found }) ?? false
    if (excused) this.#stood++
    return excused
  }

  #extra(row: Row): void {
    const { shape, tally } = this.#options
    tally.differ(shape.place, shape.table, extraRow(shape, row))
  }

  #key(row: Row): string {
    return row.slice(0, this.#options.shape.key).join('\u001f')
  }
}
