const sizeBytes = 4

/**
 * Passes on whole answers only. kafkajs keeps the first half of an answer when its connection breaks, and takes what
 * comes over the next connection for the second half: from then on it finds no answer any more, for ever.
 */
export const wholeFrames = (deliver: (frames: Buffer) => void): ((bytes: Buffer) => void) => {
  let chunks: Buffer[] = []
  let held = 0
  let needed = sizeBytes
  return bytes => {
    chunks.push(bytes)
    held += bytes.length
    if (held < needed) return
    const all = chunks.length === 1 ? bytes : Buffer.concat(chunks, held)
    let whole = 0
    needed = sizeBytes
    while (held - whole >= sizeBytes) {
      const size = sizeBytes + all.readInt32BE(whole)
      if (held - whole < size) {
        needed = size
        break
      }
      whole += size
    }
    const rest = all.subarray(whole)
    chunks = rest.length > 0 ? [rest] : []
    held = rest.length
    if (whole > 0) deliver(all.subarray(0, whole))
  }
}
