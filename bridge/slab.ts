const slabBytes = 256 * 1024

/**
 * Memory for records between their arrival and their commit. What ZeroMQ hands over is copied here and can be
 * collected at once: kept until the commit, its buffers, each with a finalizer, cost more than all other work.
 */
export class Slab {
  #free: Buffer = Buffer.alloc(0)

  /** Memory of that size, with anything in it. It is collected when nothing of its slab is in use. */
  take(bytes: number): Buffer {
    if (bytes > slabBytes / 4) return Buffer.allocUnsafeSlow(bytes)
    if (this.#free.length < bytes) this.#free = Buffer.allocUnsafeSlow(slabBytes)
    const taken = this.#free.subarray(0, bytes)
    this.#free = this.#free.subarray(bytes)
    return taken
  }
}
