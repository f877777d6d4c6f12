const placeNames = ['Kafka', 'ScyllaDB', 'StarRocks', 'CSV'] as const
/** The places that must say the same. */
export type PlaceName = (typeof placeNames)[number]

/** One thing that is not as the log says; `key` names the row. */
export type Difference =
  | { readonly kind: 'missing'; readonly key: string; readonly expected: string }
  | { readonly kind: 'extra'; readonly key: string; readonly found: string }
  | {
      readonly kind: 'different'
      readonly key: string
      readonly column: string
      readonly expected: string
      readonly found: string
    }
  /** Wrong by itself: a checksum, a chain, a number, bytes that do not decode. */
  | { readonly kind: 'broken'; readonly key: string; readonly problem: string }

export type TableResult = {
  readonly place: PlaceName
  readonly table: string
  /** Rows (records, files) looked at in the place. */
  readonly rows: number
  readonly differences: number
  /** The first of them. */
  readonly listed: readonly Difference[]
}

type Counted = { place: PlaceName; table: string; rows: number; differences: number; listed: Difference[] }

/** Counts what was compared and what differs, table by table; the first differences of each are kept in full. */
export class Tally {
  readonly #tables = new Map<string, Counted>()
  readonly #maxListed: number

  constructor({ maxListed = 20 }: { readonly maxListed?: number } = {}) {
    this.#maxListed = maxListed
  }

  compared(place: PlaceName, table: string, rows = 1): void {
    this.#table(place, table).rows += rows
  }

  differ(place: PlaceName, table: string, difference: Difference): void {
    const counted = this.#table(place, table)
    counted.differences++
    if (counted.listed.length < this.#maxListed) counted.listed.push(difference)
  }

  /** Differences that are known to be there, but not which. */
  untold(place: PlaceName, table: string, count: number): void {
    this.#table(place, table).differences += count
  }

  get differences(): number {
    return [...this.#tables.values()].reduce((sum, { differences }) => sum + differences, 0)
  }

  /** By place, in the order in which data pass. */
  tables(): readonly TableResult[] {
    return placeNames.flatMap(name => [...this.#tables.values()].filter(({ place }) => place === name))
  }

  #table(place: PlaceName, table: string): Counted {
    const name = `${place} ${table}`
    let counted = this.#tables.get(name)
    if (!counted) this.#tables.set(name, (counted = { place, table, rows: 0, differences: 0, listed: [] }))
    return counted
  }
}
