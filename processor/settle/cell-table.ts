import type { Cell } from '../../core/fold.ts'
import type { Amount, AssetId, Pos, Version } from '../../core/ids.ts'

/** available, frozen, version, pos. */
const width = 4
/** 32 KB: an owner of few users has one, and of many users no piece is large. */
const cellsInPiece = 1024

/**
 * The cells of all wallets of an owner, as rows of int64 in a few pieces of memory. As objects each record would leave
 * new ones in the cache, five each, for the collector to move and to go through for as long as they are known.
 */
export class CellTable {
  readonly #pieces: BigInt64Array[] = []
  /** Places that were given back. */
  readonly #free: number[] = []
  #places = 0

  /** Puts a cell at a place of its own; the result is where. */
  add(cell: Cell): number {
    const place = this.#free.pop() ?? this.#places++
    if (place === this.#pieces.length * cellsInPiece) this.#pieces.push(new BigInt64Array(cellsInPiece * width))
    this.write(place, cell)
    return place
  }

  read(place: number): Cell {
    const piece = this.#pieceOf(place)
    const at = firstOf(place)
    return {
      available: piece[at] as Amount,
      frozen: piece[at + 1] as Amount,
      version: piece[at + 2] as Version,
      pos: piece[at + 3] as Pos,
    }
  }

  write(place: number, { available, frozen, version, pos }: Cell): void {
    const piece = this.#pieceOf(place)
    const at = firstOf(place)
    piece[at] = available
    piece[at + 1] = frozen
    piece[at + 2] = version
    piece[at + 3] = pos
  }

  /** Gives a place back: what stands there is anybody's from now on. */
  remove(place: number): void {
    this.#free.push(place)
  }

  #pieceOf(place: number): BigInt64Array {
    return this.#pieces[Math.floor(place / cellsInPiece)] as BigInt64Array
  }
}

/** Where a cell begins in its piece. */
const firstOf = (place: number): number => (place % cellsInPiece) * width

/** The balances of one user: in the table, but for which assets there are. */
export class WalletCells implements Iterable<readonly [AssetId, Cell]> {
  readonly #table: CellTable
  /** Few: to look through all costs less than an index. */
  readonly #assets: AssetId[] = []
  /** Of each asset. */
  readonly #places: number[] = []

  constructor(table: CellTable, cells: Iterable<readonly [AssetId, Cell]>) {
    this.#table = table
    for (const [asset, cell] of cells) this.set(asset, cell)
  }

  get size(): number {
    return this.#assets.length
  }

  get(asset: AssetId): Cell | undefined {
    const place = this.#places[this.#assets.indexOf(asset)]
    return place === undefined ? undefined : this.#table.read(place)
  }

  set(asset: AssetId, cell: Cell): void {
    const place = this.#places[this.#assets.indexOf(asset)]
    if (place !== undefined) {
      this.#table.write(place, cell)
      return
    }
    this.#assets.push(asset)
    this.#places.push(this.#table.add(cell))
  }

  *values(): Iterable<Cell> {
    for (const place of this.#places) yield this.#table.read(place)
  }

  *[Symbol.iterator](): Iterator<readonly [AssetId, Cell]> {
    for (const [index, asset] of this.#assets.entries()) yield [asset, this.#table.read(this.#places[index] as number)]
  }

  /** Gives all places back: nobody may have the wallet any more. */
  clear(): void {
    for (const place of this.#places) this.#table.remove(place)
    this.#places.length = 0
    this.#assets.length = 0
  }
}
