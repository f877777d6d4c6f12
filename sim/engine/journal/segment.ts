import { type FileHandle, open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { JournalError } from './journal-error.ts'
import { type JournalRecord, scanRecord } from './journal-record.ts'

/** A file of the journal: a header, then records without holes from `first` on. */
export type Segment = {
  readonly path: string
  /** Index of its first record. */
  readonly first: bigint
  /** The chain before that record. */
  readonly chainBefore: Buffer
  /** Every so often, where a record begins: lets a replay start near what it looks for. Ascending. */
  readonly marks: { readonly index: bigint; readonly offset: number }[]
}

const magic = Buffer.from('SETTLEJ1', 'ascii')
/** magic, first index u64, chain before 32 bytes, crc32 of all that. */
const segmentHeaderBytes = 8 + 8 + 32 + 4
const recordsPerMark = 1024n
const readBytes = 256 * 1024

export const encodeSegmentHeader = ({ first, chainBefore }: Pick<Segment, 'first' | 'chainBefore'>): Buffer => {
  const header = Buffer.alloc(segmentHeaderBytes)
  magic.copy(header)
  header.writeBigUInt64BE(first, 8)
  chainBefore.copy(header, 16)
  header.writeUInt32BE(crc32(header.subarray(0, 48)), 48)
  return header
}

/** Null when the header was never written whole: the engine died while it made the file. */
export const readSegmentHeader = async (path: string): Promise<Segment | null> => {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(segmentHeaderBytes), 0, segmentHeaderBytes, 0)
  if (bytesRead < segmentHeaderBytes) return null
  if (!buffer.subarray(0, 8).equals(magic) || crc32(buffer.subarray(0, 48)) !== buffer.readUInt32BE(48)) return null
  const first = buffer.readBigUInt64BE(8)
  return { path, first, chainBefore: Buffer.from(buffer.subarray(16, 48)), marks: [] }
}

/** Remembers where a record begins, now and then. */
export const markRecord = (segment: Segment, index: bigint, offset: number): void => {
  const last = segment.marks.at(-1)
  if (last ? index >= last.index + recordsPerMark : index > segment.first) segment.marks.push({ index, offset })
}

const startFor = (segment: Segment, index: bigint): { readonly index: bigint; readonly offset: number } => {
  const mark = segment.marks.findLast(known => known.index <= index)
  return mark ?? { index: segment.first, offset: segmentHeaderBytes }
}

export type ScanEnd =
  /** The file ends with its last record. */
  | { readonly kind: 'clean'; readonly offset: number }
  /** What begins at `offset` is no whole record. */
  | { readonly kind: 'broken'; readonly offset: number; readonly reason: string }

/**
 * Reads records `from` and on, in groups of what one read brought; returns how the file ended. Records hold views of
 * their group's buffer.
 */
export async function* scanSegment(
  segment: Segment,
  from: bigint,
): AsyncGenerator<readonly JournalRecord[], ScanEnd, undefined> {
  await using file = await open(segment.path, 'r')
  const start = startFor(segment, from)
  let expected = start.index
  let offset = start.offset
  let wanted = readBytes
  for (;;) {
    const buffer = await readAt(file, offset, wanted)
    const { records, bytes, stop } = scanBuffer(segment, { buffer, offset, expected })
    const group = records.filter(record => record.index >= from)
    if (group.length > 0) yield group
    expected += BigInt(records.length)
    offset += bytes
    if (stop.kind === 'damaged') return { kind: 'broken', offset, reason: stop.reason }
    const isEnd = buffer.length < wanted
    if (isEnd && bytes === buffer.length) return { kind: 'clean', offset }
    if (isEnd) return { kind: 'broken', offset, reason: 'a record cut short' }
    wanted = Math.max(readBytes, stop.bytes)
  }
}

type Window = { readonly buffer: Buffer; readonly offset: number; readonly expected: bigint }
type Scanned = {
  readonly records: readonly JournalRecord[]
  /** How far the whole records reach. */
  readonly bytes: number
  readonly stop:
    | { readonly kind: 'short'; readonly bytes: number }
    | { readonly kind: 'damaged'; readonly reason: string }
}

const scanBuffer = (segment: Segment, { buffer, offset, expected }: Window): Scanned => {
  const records: JournalRecord[] = []
  let bytes = 0
  for (;;) {
    const scanned = scanRecord(buffer, bytes)
    if (scanned.kind !== 'record') return { records, bytes, stop: scanned }
    const index = expected + BigInt(records.length)
    if (scanned.record.index !== index) {
      const reason = `record ${scanned.record.index} where ${index} belongs`
      return { records, bytes, stop: { kind: 'damaged', reason } }
    }
    markRecord(segment, index, offset + bytes)
    records.push(scanned.record)
    bytes += scanned.bytes
  }
}

const readAt = async (file: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** Where a scan stopped, in words; for an error. */
export const damageAt = (segment: Segment, end: ScanEnd & { kind: 'broken' }): JournalError =>
  new JournalError(`${segment.path} is damaged at byte ${end.offset}: ${end.reason}`)
