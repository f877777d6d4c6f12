import type { UserId } from './ids.ts'

/** The Kafka key of a user: its decimal digits in ASCII. */
export const userKey = (user: UserId): Buffer => Buffer.from(user.toString(), 'ascii')

const seed = 0x9747b28c
const m = 0x5bd1e995

/** Kafka's murmur2 of 32 bits, as a signed int; every client's default partitioner hashes keys so. */
const murmur2 = (data: Buffer): number => {
  const whole = data.length - (data.length % 4)
  let hash = seed ^ data.length
  for (let i = 0; i < whole; i += 4) {
    const k = Math.imul(data.readInt32LE(i), m)
    hash = Math.imul(hash, m) ^ Math.imul(k ^ (k >>> 24), m)
  }
  if (whole < data.length) {
    const rest = data.readUIntLE(whole, data.length - whole)
    hash = Math.imul(hash ^ rest, m)
  }
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}

/**
 * The partition of `user.outputs` that a user's records go to: murmur2 of the key mod P. Our own computation, so that
 * no client library's idea of a default can ever move a user.
 * @throws RangeError when partitions is not a positive integer
 */
export const partitionOf = (user: UserId, partitions: number): number => {
  if (!Number.isInteger(partitions) || partitions < 1)
    throw new RangeError(`${partitions} partitions: the number of partitions is an integer from 1`)
  return (murmur2(userKey(user)) & 0x7fffffff) % partitions
}
