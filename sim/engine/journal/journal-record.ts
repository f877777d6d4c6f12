import { crc32 } from 'node:zlib'

/** One output in the journal. */
export type JournalRecord = {
  /** Numbers the outputs of all sessions: 1, 2, 3 … */
  readonly index: bigint
  /** The chain after it, 32 bytes. */
  readonly chain: Buffer
  readonly payload: Buffer
  /** The command behind it and where the flow stood after it. */
  readonly step: string
}

/**
 * On disk: length u32, crc32 u32 of what follows, then index u64, group u64, chain 32 bytes, length of the step u32,
 * step, payload; big-endian. The group is the index of the first record that became durable together with this one.
 */
const frameBytes = 8
const headBytes = 8 + 8 + 32 + 4
/** No record is longer; a length beyond it is damage. */
export const maxRecordBytes = 64 * 1024 * 1024

export const encodeRecord = ({ index, chain, payload, step }: JournalRecord, group: bigint): Buffer => {
  const stepBytes = Buffer.byteLength(step)
  const bodyBytes = headBytes + stepBytes + payload.length
  if (bodyBytes > maxRecordBytes)
    throw new RangeError(`output ${index} takes ${bodyBytes} bytes of journal; the limit is ${maxRecordBytes}`)
  const record = Buffer.allocUnsafe(frameBytes + bodyBytes)
  record.writeUInt32BE(bodyBytes, 0)
  record.writeBigUInt64BE(index, frameBytes)
  record.writeBigUInt64BE(group, frameBytes + 8)
  chain.copy(record, frameBytes + 16)
  record.writeUInt32BE(stepBytes, frameBytes + 48)
  record.write(step, frameBytes + headBytes)
  payload.copy(record, frameBytes + headBytes + stepBytes)
  record.writeUInt32BE(crc32(record.subarray(frameBytes)), 4)
  return record
}

export type ScannedRecord =
  | { readonly kind: 'record'; readonly record: JournalRecord; readonly bytes: number }
  /** The buffer ends inside it; `bytes` is how many it needs, as far as is known. */
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'damaged'; readonly reason: string }

/** The record that begins at `offset`. Its chain and payload are views into `buffer`. */
export const scanRecord = (buffer: Buffer, offset: number): ScannedRecord => {
  const rest = buffer.length - offset
  if (rest < frameBytes) return { kind: 'short', bytes: frameBytes }
  const bodyBytes = buffer.readUInt32BE(offset)
  if (bodyBytes < headBytes || bodyBytes > maxRecordBytes)
    return { kind: 'damaged', reason: `a record of ${bodyBytes} bytes` }
  if (rest < frameBytes + bodyBytes) return { kind: 'short', bytes: frameBytes + bodyBytes }
  const body = buffer.subarray(offset + frameBytes, offset + frameBytes + bodyBytes)
  if (crc32(body) !== buffer.readUInt32BE(offset + 4)) return { kind: 'damaged', reason: 'a wrong checksum' }
  const stepEnd = headBytes + body.readUInt32BE(48)
  if (stepEnd > bodyBytes) return { kind: 'damaged', reason: 'a step longer than its record' }
  const record: JournalRecord = {
    index: body.readBigUInt64BE(0),
    chain: body.subarray(16, 48),
    step: body.toString('utf8', headBytes, stepEnd),
    payload: body.subarray(stepEnd),
  }
  return { kind: 'record', record, bytes: frameBytes + bodyBytes }
}

/**
 * True when somewhere behind a break at record `index` a whole record of a later group stands. A group is written only
 * when the one before is durable, so then the break is damage to what was durable and perhaps published; without one
 * it is a group that a crash left in pieces.
 */
export const laterGroupFollows = (buffer: Buffer, index: bigint): boolean => {
  for (let offset = 0; offset + frameBytes + headBytes <= buffer.length; offset++) {
    const group = buffer.readBigUInt64BE(offset + frameBytes + 8)
    if (group <= index || group > buffer.readBigUInt64BE(offset + frameBytes)) continue
    if (scanRecord(buffer, offset).kind === 'record') return true
  }
  return false
}
