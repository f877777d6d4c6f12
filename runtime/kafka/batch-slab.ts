import type { OutgoingRecord } from './port.ts'

/** Records of a transaction as one piece of memory, which goes from thread to thread without being copied. */
export type PackedBatch = { readonly slab: ArrayBuffer; readonly count: number; readonly topics: readonly string[] }

const timeBytes = 8
const intBytes = 4
/** Index of the topic, partition, bytes of the key (−1: none), bytes of the value. */
const intsPerRecord = 4
const headBytes = timeBytes + intsPerRecord * intBytes
const noKey = -1

/** A batch of the usual size fits without asking for memory; one that was larger is not kept. */
const keptBytes = 1024 * 1024

const sizeOf = (records: readonly OutgoingRecord[]): number => {
  let bytes = records.length * headBytes
  for (const { key, value } of records) bytes += value.length + (key === null ? 0 : key.length)
  return bytes
}

/** Packs records, into `used` if it is large enough: the slab of an earlier batch that nobody reads any more. */
export const packBatch = (records: readonly OutgoingRecord[], used: ArrayBuffer | null): PackedBatch => {
  const bytes = sizeOf(records)
  const slab = used && used.byteLength >= bytes ? used : new ArrayBuffer(Math.max(bytes, keptBytes))
  const count = records.length
  const { times, ints } = headsOf(slab, count)
  const all = new Uint8Array(slab)
  const topics: string[] = []
  let end = count * headBytes
  let head = 0
  for (let i = 0; i < count; i++) {
    const { topic, partition, key, value, timestampMs } = records[i] as OutgoingRecord
    times[i] = timestampMs
    ints[head++] = indexOf(topics, topic)
    ints[head++] = partition
    ints[head++] = key === null ? noKey : key.length
    ints[head++] = value.length
    if (key !== null) {
      all.set(key, end)
      end += key.length
    }
    all.set(value, end)
    end += value.length
  }
  return { slab, count, topics }
}

/** The records, whose keys and values are views of the slab: good for as long as the slab is not given away. */
export const unpackBatch = ({ slab, count, topics }: PackedBatch): OutgoingRecord[] => {
  const { times, ints } = headsOf(slab, count)
  const records: OutgoingRecord[] = []
  let end = count * headBytes
  const next = (bytes: number): Buffer => {
    end += bytes
    return Buffer.from(slab, end - bytes, bytes)
  }
  for (let i = 0, head = 0; i < count; i++, head += intsPerRecord) {
    const keyBytes = ints[head + 2] as number
    records.push({
      topic: topics[ints[head] as number] as string,
      partition: ints[head + 1] as number,
      key: keyBytes === noKey ? null : next(keyBytes),
      value: next(ints[head + 3] as number),
      timestampMs: times[i] as bigint,
    })
  }
  return records
}

/** What may be packed into again. */
export const isKept = (slab: ArrayBuffer): boolean => slab.byteLength <= keptBytes

const headsOf = (slab: ArrayBuffer, count: number) => ({
  times: new BigInt64Array(slab, 0, count),
  ints: new Int32Array(slab, count * timeBytes, count * intsPerRecord),
})

/** Nearly always there is one topic, and it is the first. */
const indexOf = (topics: string[], topic: string): number => {
  const found = topics.indexOf(topic)
  return found === -1 ? topics.push(topic) - 1 : found
}
