import { hash } from 'node:crypto'
import { differentCells, extraRow, missingRow, type Row, type RowShape } from './row-shape.ts'
import type { Tally } from './tally.ts'

/** Takes the rows that the log calls for and those that a place has, in any order. */
export interface RowSink {
  expected(shape: RowShape, row: Row): void
  found(shape: RowShape, row: Row): void
}

const bucketCount = 4096
const wordsPerBucket = 8

type Digests = { readonly words: Uint32Array; expected: number; found: number }
type Differing = ReadonlyMap<RowShape, ReadonlySet<number>>

/**
 * Compares sets of rows of any size in fixed memory (128 KiB a table): each row's SHA-256 is added to the bucket of
 * its key when the log calls for it, and taken off when a place has it. What is left in a bucket differs.
 */
export class RowDigests implements RowSink {
  readonly #tables = new Map<RowShape, Digests>()

  expected(shape: RowShape, row: Row): void {
    const digests = this.#of(shape)
    digests.expected++
    addRow(digests.words, shape, row, 1)
  }

  found(shape: RowShape, row: Row): void {
    const digests = this.#of(shape)
    digests.found++
    addRow(digests.words, shape, row, -1)
  }

  /** Buckets that are not the same on both sides; no entry for tables that are equal. */
  differing(): Differing {
    const differing = new Map<RowShape, ReadonlySet<number>>()
    for (const [shape, { words }] of this.#tables) {
      const buckets = new Set<number>()
      words.forEach((word, i) => {
        if (word !== 0) buckets.add(Math.floor(i / wordsPerBucket))
      })
      if (buckets.size > 0) differing.set(shape, buckets)
    }
    return differing
  }

  /** Tells the tally how many rows each place has. */
  count(tally: Tally): void {
    for (const [{ place, table }, { found }] of this.#tables) tally.compared(place, table, found)
  }

  #of(shape: RowShape): Digests {
    let digests = this.#tables.get(shape)
    if (!digests) {
      digests = { words: new Uint32Array(bucketCount * wordsPerBucket), expected: 0, found: 0 }
      this.#tables.set(shape, digests)
    }
    return digests
  }
}

const scratch = new Uint8Array(4 * wordsPerBucket)
const digestWords = new Uint32Array(scratch.buffer)

/** Word by word, each modulo 2^32: the order of the rows does not matter, and what is added can be taken off. */
const addRow = (words: Uint32Array, shape: RowShape, row: Row, sign: 1 | -1): void => {
  scratch.set(hash('sha256', JSON.stringify(row), 'buffer'))
  const start = bucketOf(shape, row) * wordsPerBucket
  for (let i = 0; i < wordsPerBucket; i++)
    words[start + i] = (words[start + i] as number) + sign * (digestWords[i] as number)
}

/** FNV-1a of the key. */
const bucketOf = ({ key }: RowShape, row: Row): number => {
  let sum = 0x811c9dc5
  for (let column = 0; column < key; column++) {
    const cell = row[column] ?? ''
    for (let i = 0; i < cell.length; i++) sum = Math.imul(sum ^ cell.charCodeAt(i), 0x01000193)
    sum = Math.imul(sum ^ 0x1f, 0x01000193)
  }
  return (sum >>> 8) % bucketCount
}

type Sides = { readonly shape: RowShape; readonly rows: Map<string, number> }

/** The second look, at the buckets that differ only: which rows, and how. Bounded: what is beyond is counted. */
export class RowDetails implements RowSink {
  readonly #differing: Differing
  readonly #maxKeys: number
  readonly #keys = new Map<string, Sides>()
  readonly #untold = new Map<RowShape, number>()

  constructor(differing: Differing, { maxKeys = 500_000 }: { readonly maxKeys?: number } = {}) {
    this.#differing = differing
    this.#maxKeys = maxKeys
  }

  expected(shape: RowShape, row: Row): void {
    this.#add(shape, row, 1)
  }

  found(shape: RowShape, row: Row): void {
    this.#add(shape, row, -1)
  }

  wants(shape: RowShape): boolean {
    return this.#differing.has(shape)
  }

  /** Names the differences, row by row. */
  tell(tally: Tally): void {
    const told = new Set<RowShape>()
    for (const { shape, rows } of this.#keys.values()) {
      const expected = [...rows].flatMap(([text, count]) => repeat(text, count))
      const found = [...rows].flatMap(([text, count]) => repeat(text, -count))
      if (expected.length + found.length > 0) told.add(shape)
      tellKey(tally, shape, expected, found)
    }
    for (const shape of this.#differing.keys()) {
      const { place, table } = shape
      const untold = this.#untold.get(shape) ?? 0
      if (untold > 0) tally.untold(place, table, untold)
      else if (!told.has(shape))
        // Rows of a settled past changed between the two looks: that is a difference too.
        tally.differ(place, table, {
          kind: 'broken',
          key: 'table',
          problem: 'differed at the first look, not at the second',
        })
    }
  }

  #add(shape: RowShape, row: Row, sign: 1 | -1): void {
    if (!this.#differing.get(shape)?.has(bucketOf(shape, row))) return
    const key = `${shape.place} ${shape.table} ${JSON.stringify(row.slice(0, shape.key))}`
    let sides = this.#keys.get(key)
    if (!sides) {
      if (this.#keys.size >= this.#maxKeys) {
        this.#untold.set(shape, (this.#untold.get(shape) ?? 0) + 1)
        return
      }
      this.#keys.set(key, (sides = { shape, rows: new Map() }))
    }
    const text = JSON.stringify(row)
    const count = (sides.rows.get(text) ?? 0) + sign
    if (count === 0) sides.rows.delete(text)
    else sides.rows.set(text, count)
    if (sides.rows.size === 0) this.#keys.delete(key)
  }
}

const repeat = (text: string, count: number): Row[] =>
  Array.from({ length: Math.max(0, count) }, () => JSON.parse(text) as Row)

const tellKey = (tally: Tally, shape: RowShape, expected: readonly Row[], found: readonly Row[]): void => {
  const { place, table } = shape
  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    const [should, is] = [expected[i], found[i]]
    if (should && is) for (const each of differentCells(shape, should, is)) tally.differ(place, table, each)
    else if (should) tally.differ(place, table, missingRow(shape, should))
    else if (is) tally.differ(place, table, extraRow(shape, is))
  }
}
