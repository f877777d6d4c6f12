const firstBytes = 2 * 1024
/** Of a UTF-16 unit in UTF-8, at most. */
const bytesPerUnit = 3

/**
 * Texts of rows behind one another in memory that grows. As strings they would outlive the young generation, thousands
 * at a time, and cost more to keep than to make.
 */
export class RowBytes {
  #bytes = Buffer.allocUnsafe(firstBytes)
  #end = 0

  /** All that was appended. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  get length(): number {
    return this.#end
  }

  append(text: string): void {
    const needed = this.#end + text.length * bytesPerUnit
    if (needed > this.#bytes.length) this.#grow(needed)
    this.#end += this.#bytes.write(text, this.#end)
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, needed))
    this.#bytes.copy(grown, 0, 0, this.#end)
    this.#bytes = grown
  }
}
