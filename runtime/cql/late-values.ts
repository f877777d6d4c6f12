import { createRequire } from 'node:module'

/** What of the driver's writer of a request is used: fields of its own, of the version that package.json pins. */
type FrameWriter = {
  /** Bytes as they are. */
  add(bytes: Buffer): void
  /** A value, after its length. */
  readonly writeBytes: (this: FrameWriter, bytes: unknown) => void
}

/** The values that are written now, their lengths in them. */
let writing: Buffer | null = null

const driver = createRequire(import.meta.url)('cassandra-driver/lib/writers.js') as {
  readonly FrameWriter: { readonly prototype: FrameWriter }
}
const { prototype } = driver.FrameWriter
const byDriver = prototype.writeBytes
Object.assign(prototype, {
  writeBytes(this: FrameWriter, bytes: unknown): void {
    if (writing !== null && bytes === writing) this.add(writing)
    else byDriver.call(this, bytes)
  },
})

/**
 * The parameters of one statement of a batch, for as long as its request is under way: an array of nothing. The driver asks
 * how many they are, and goes through them once, when it writes the request. Then it is given all of them in one piece, which
 * is what the request has in this place: it would take two views for each, some hundred and fifty a trade
 * (`docs/decisions/0015-what-the-collector-moves.md`).
 */
export class LateValues extends Array<Buffer> {
  /** What the driver might make of it is an array as any other. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  readonly #statement: { readonly written: Buffer }

  /** @param statement what knows all values, each after its length, in the bytes of the native protocol */
  constructor(count: number, statement: { readonly written: Buffer }) {
    super(count)
    this.#statement = statement
  }

  override forEach(take: (values: Buffer, index: number, all: Buffer[]) => void): void {
    if (this.length === 0) return
    writing = this.#statement.written
    try {
      take(writing, 0, this)
    } finally {
      writing = null
    }
  }
}
