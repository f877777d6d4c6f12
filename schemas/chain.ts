import { createHash } from 'node:crypto'

/** The chain before the very first output. */
export const zeroChain: Buffer = Buffer.alloc(32)

/** SHA-256(previous chain ‖ payload): the chain after an output. */
export const nextChain = (previous: Buffer, payload: Buffer): Buffer =>
  createHash('sha256').update(previous).update(payload).digest()
