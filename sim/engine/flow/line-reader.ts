import { closeSync, openSync, readSync } from 'node:fs'

export type Line = {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** Byte offset of what follows it. */
  readonly end: number
}

/** Where to go on: the number of the line that begins at `offset`. */
export type LineStart = { readonly number: number; readonly offset: number }

const chunkBytes = 64 * 1024
/** A longer line is no line of a flow file; it bounds what is kept in memory. */
const maxLineBytes = 4_096

/** Reads a text file line by line from any line on, without ever holding more than a chunk of it. */
export class LineReader {
  readonly #file: number
  #buffer = Buffer.alloc(0)
  /** Of the buffer's first byte in the file. */
  #offset: number
  #number: number

  constructor(path: string, { number, offset }: LineStart = { number: 1, offset: 0 }) {
    this.#file = openSync(path, 'r')
    this.#number = number
    this.#offset = offset
  }

  /** The next line without its end (LF or CRLF); null at the end of the file. */
  next(): Line | null {
    let end = this.#buffer.indexOf(10)
    while (end < 0 && this.#buffer.length <= maxLineBytes && this.#fill()) end = this.#buffer.indexOf(10)
    if (end < 0 && this.#buffer.length === 0) return null
    const length = end < 0 ? Math.min(this.#buffer.length, maxLineBytes) : end
    const text = this.#buffer.toString('utf8', 0, length).replace(/\r$/, '')
    const taken = end < 0 ? length : end + 1
    this.#buffer = this.#buffer.subarray(taken)
    this.#offset += taken
    return { number: this.#number++, text, end: this.#offset }
  }

  close(): void {
    closeSync(this.#file)
  }

  /** False at the end of the file. */
  #fill(): boolean {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    const bytes = readSync(this.#file, chunk, 0, chunkBytes, this.#offset + this.#buffer.length)
    if (bytes > 0) this.#buffer = Buffer.concat([this.#buffer, chunk.subarray(0, bytes)])
    return bytes > 0
  }
}
