import type { DialectFrame } from './dialects/dialect.ts'

type Out = Extract<DialectFrame, { kind: 'OUT' }>

/**
 * Outputs of one session that are ahead of their turn, bounded by count and bytes. They are copied: the buffers that
 * ZeroMQ hands over weigh several times what is in them, and may wait here for long.
 */
export class ReorderBuffer {
  readonly #maxCount: number
  readonly #maxBytes: number
  readonly #frames = new Map<bigint, Out>()
  #bytes = 0

  constructor({ maxCount, maxBytes }: { readonly maxCount: number; readonly maxBytes: number }) {
    this.#maxCount = maxCount
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#frames.size
  }

  add(frame: Out): 'kept' | 'seen' | 'buffer-full' {
    const { at, payload } = frame
    if (this.#frames.has(at.seq)) return 'seen'
    if (this.#frames.size >= this.#maxCount || this.#bytes + payload.length > this.#maxBytes) return 'buffer-full'
    const chain = at.chain && Buffer.from(at.chain)
    this.#frames.set(at.seq, { kind: 'OUT', at: { ...at, chain }, payload: Buffer.from(payload) })
    this.#bytes += payload.length
    return 'kept'
  }

  /** Removes and returns the output of that seq. */
  take(seq: bigint): Out | undefined {
    const frame = this.#frames.get(seq)
    if (!frame) return undefined
    this.#frames.delete(seq)
    this.#bytes -= frame.payload.length
    return frame
  }

  /** Forgets everything up to and including a seq. */
  dropTo(seq: bigint): void {
    for (const kept of this.#frames.keys()) if (kept <= seq) this.take(kept)
  }

  clear(): void {
    this.#frames.clear()
    this.#bytes = 0
  }
}
