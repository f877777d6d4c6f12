import { createHash, hash } from 'node:crypto'

const chainBytes = 32
/** The chain before the very first output. */
export const zeroChain: Buffer = Buffer.alloc(chainBytes)

/** One call over one buffer takes half the time of a hash object fed twice, which is what a small payload costs. */
const scratch = Buffer.alloc(chainBytes + 4096)

/** SHA-256(previous chain ‖ payload): the chain after an output. */
export const nextChain = (previous: Buffer, payload: Buffer): Buffer => {
  const end = chainBytes + payload.length
  if (previous.length !== chainBytes || end > scratch.length)
    return createHash('sha256').update(previous).update(payload).digest()
  previous.copy(scratch)
  payload.copy(scratch, chainBytes)
  // As text and into Node's pool of small buffers: a buffer of its own for each hash costs the collector more than all of it.
  const chain = Buffer.allocUnsafe(chainBytes)
  chain.write(hash('sha256', scratch.subarray(0, end), 'binary'), 'latin1')
  return chain
}
