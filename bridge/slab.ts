const slabBytes = 256 * 1024

/**
 * Memory for records between their arrival and their commit. What ZeroMQ hands over is copied here and can be
 * collected at once: kept until the commit, its buffers, each with a finalizer, cost more than all other work.
 */
export class Slab {
  #slab: Buffer = Buffer.alloc(0)
  #used = 0

  /** Memory of that size, with anything in it. It is collected when nothing of its slab is in use. */
  take(bytes: number): Buffer {
    if (bytes > slabBytes / 4) return Buffer.allocUnsafeSlow(bytes)
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes)
      this.#used = 0
    }
    const from = this.#used
    this.#used += bytes
    return this.#slab.subarray(from, this.#used)
  }
}
