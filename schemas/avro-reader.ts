import { isUtf8 } from 'node:buffer'
import type avro from 'avsc'
import { DecodeError } from './decode-error.ts'

type Cursor = { readonly bytes: Buffer; at: number }
type Read = (cursor: Cursor) => unknown

/** Decodes one value from the whole of `bytes`. @throws DecodeError, and nothing else */
export type Reader = (bytes: Buffer, what: string) => unknown

/**
 * A reader of what an untrusted peer may send. avsc's own takes what it finds: an array's count is allocated before
 * a single item is seen (six bytes ask for gigabytes), a long beyond 64 bits wraps, an int beyond 32 stays. This one
 * refuses each of them, at no cost in speed. Writing stays avsc's.
 * @throws Error when a schema uses a type that no pinned schema uses yet
 */
export const readerOf = (type: avro.Type): Reader => told(type, toTheEnd(compile(type)))

/** Reads a record as `readerOf`, with its kind as one more field. */
export const kindReaderOf = (type: avro.types.RecordType, kind: string): Reader =>
  told(type, toTheEnd(readRecord(type.fields, { kind })))

/** Reads the fields of a record that stand before `field`, an array, and whether that one has items; nothing after it. */
export const untilArrayReaderOf = (type: avro.types.RecordType, field: string): Reader => {
  const read = readRecord(type.fields.slice(0, type.fields.indexOf(type.field(field))))
  // An array without items is a single zero.
  return told(type, cursor => ({ before: read(cursor), hasItems: takeByte(cursor) !== 0 }))
}

const toTheEnd =
  (read: Read): Read =>
  cursor => {
    const value = read(cursor)
    const left = cursor.bytes.length - cursor.at
    if (left > 0) throw new Malformed(`${left} bytes follow its end`)
    return value
  }

const told =
  (type: avro.Type, read: Read): Reader =>
  (bytes, what) => {
    const cursor: Cursor = { bytes, at: 0 }
    try {
      return read(cursor)
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
      const where = `at byte ${cursor.at} of ${bytes.length}`
      throw new DecodeError(`${what}: not a ${type.name ?? type.typeName}: ${where}, ${cause.message}`, { cause })
    }
  }

/** Refuses what the reader of the same type would refuse, in a fraction of its time: nothing is made of what is read. */
export type Checker = (bytes: Buffer, what: string) => void

/** @throws Error when a schema uses a type that no pinned schema uses yet */
export const checkerOf = (type: avro.Type): Checker => told(type, toTheEnd(compileSkip(type)))

class Malformed extends Error {}

const compile = (type: avro.Type): Read => {
  switch (type.typeName) {
    case 'null':
      return () => null
    case 'int':
      return readInt
    case 'abstract:long':
      return readLong
    case 'string':
      return readString
    case 'fixed':
      return readFixed((type as avro.types.FixedType).size)
    case 'logical:u64':
      return cursor => cursor.bytes.readBigUInt64BE(pass(cursor, 8))
    case 'logical:decimal':
      return readDecimal
    case 'enum':
      return readEnum((type as avro.types.EnumType).symbols)
    case 'union:unwrapped':
      return readUnion((type as avro.types.UnwrappedUnionType).types.map(compile))
    case 'array':
      return readArray(compile((type as avro.types.ArrayType).itemsType))
    case 'record':
      return readRecord((type as avro.types.RecordType).fields)
    default:
      throw new Error(`no reader for Avro type ${type.typeName}; add one to schemas/avro-reader.ts`)
  }
}

/** Goes on past so many bytes; the result is where they begin. */
const pass = (cursor: Cursor, length: number): number => {
  const { bytes, at } = cursor
  if (at + length > bytes.length) throw new Malformed(`${length} bytes are wanted, ${bytes.length - at} are left`)
  cursor.at = at + length
  return at
}

const take = (cursor: Cursor, length: number): Buffer => {
  const at = pass(cursor, length)
  return cursor.bytes.subarray(at, at + length)
}

const takeByte = (cursor: Cursor): number => {
  const byte = cursor.bytes[cursor.at]
  if (byte === undefined) throw new Malformed('it is cut off')
  cursor.at++
  return byte
}

/** A variable-length integer; up to 53 bits are exact in a number and stay one, wider ones are bigint. */
const readVarint = (cursor: Cursor): number | bigint => {
  let low = 0
  let scale = 1
  for (let i = 0; i < 7; i++) {
    const byte = takeByte(cursor)
    low += (byte & 0x7f) * scale
    if (byte < 0x80) return unzigzag(low)
    scale *= 128
  }
  const eighth = takeByte(cursor)
  // Times of this century in µs end here.
  if (eighth < 0x10) return unzigzag(low + eighth * scale)
  let zigzag = BigInt(low) | (BigInt(eighth & 0x7f) << 49n)
  let last = eighth
  for (let shift = 56n; last >= 0x80; shift += 7n) {
    last = takeByte(cursor)
    if (shift === 63n && last > 1) throw new Malformed('a long is wider than 64 bits')
    zigzag |= BigInt(last & 0x7f) << shift
  }
  return (zigzag >> 1n) ^ -(zigzag & 1n)
}

const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2)

/** Most longs are a version, an id or nothing: what stands here already need not be made. */
const smallLongs: readonly bigint[] = Array.from({ length: 1024 }, (_, value) => BigInt(value))

const readLong = (cursor: Cursor): bigint => {
  const value = readVarint(cursor)
  if (typeof value === 'bigint') return value
  return value >= 0 && value < smallLongs.length ? (smallLongs[value] as bigint) : BigInt(value)
}

const readInt = (cursor: Cursor): number => {
  const value = readVarint(cursor)
  if (typeof value === 'number' && value === (value | 0)) return value
  throw new Malformed(`${value} is not an int of 32 bits`)
}

/** A length or count: never negative, never more than there are bytes left (an item takes at least one). */
const bounded = (cursor: Cursor, value: number | bigint, what: string): number => {
  const left = cursor.bytes.length - cursor.at
  if (typeof value === 'bigint' || value < 0 || value > left) throw new Malformed(`${value} ${what} in ${left} bytes`)
  return value
}

const readString = (cursor: Cursor): string => {
  const length = bounded(cursor, readVarint(cursor), 'bytes of text')
  const at = pass(cursor, length)
  return cursor.bytes.toString(checkText(cursor.bytes, at, at + length) ? 'latin1' : 'utf8', at, at + length)
}

/** Whether a text is ASCII, as nearly all are; a look at each byte is faster than a call. @throws Malformed unless it is UTF-8 */
const checkText = (bytes: Buffer, at: number, end: number): boolean => {
  for (let i = at; i < end; i++)
    if ((bytes[i] as number) >= 0x80) {
      if (!isUtf8(bytes.subarray(i, end))) throw new Malformed('a string is not UTF-8')
      return false
    }
  return true
}

/** Copied, so that a value kept for long does not keep the whole message. */
const readFixed =
  (size: number): Read =>
  cursor =>
    Buffer.from(take(cursor, size))

const decimalLimit = 10n ** 38n
const readDecimal = (cursor: Cursor): bigint => {
  const bytes = take(cursor, bounded(cursor, readVarint(cursor), 'bytes of decimal'))
  if (bytes.length === 0 || bytes.length > 16) throw new Malformed(`a decimal of 38 digits in ${bytes.length} bytes`)
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
  if (value <= -decimalLimit || value >= decimalLimit) throw new Malformed(`${value} has more than 38 digits`)
  return value
}

const choose = <T>(cursor: Cursor, choices: readonly T[], what: string): T => {
  const index = readVarint(cursor)
  const found = typeof index === 'number' ? choices[index] : undefined
  if (found === undefined) throw new Malformed(`${what} ${index} of ${choices.length}`)
  return found
}

const readEnum =
  (symbols: readonly string[]): Read =>
  cursor =>
    choose(cursor, symbols, 'symbol')

const readUnion =
  (branches: readonly Read[]): Read =>
  cursor =>
    choose(cursor, branches, 'branch')(cursor)

const keep = (items: unknown[], item: unknown): void => void items.push(item)

const readArray =
  (readItem: Read, found: (items: unknown[], item: unknown) => void = keep): Read =>
  cursor => {
    const items: unknown[] = []
    for (let count = readVarint(cursor); count !== 0; count = readVarint(cursor)) {
      const sized = count < 0
      const size = sized ? bounded(cursor, readVarint(cursor), 'bytes of items') : 0
      const start = cursor.at
      for (let left = bounded(cursor, sized ? -count : count, 'items'); left > 0; left--) found(items, readItem(cursor))
      if (sized && cursor.at - start !== size) throw new Malformed(`items take ${cursor.at - start} bytes, not ${size}`)
    }
    return items
  }

/**
 * One literal with all fields, in their order: an object that gains its fields one after another is copied as it grows.
 * Avro's names are words of letters, digits and `_`.
 */
const readRecord = (declared: readonly avro.types.Field[], constants: Readonly<Record<string, string>> = {}): Read => {
  const reads = declared.map(field => compile(field.type))
  const fields = [
    ...Object.entries(constants).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`),
    ...declared.map(({ name }, at) => `${JSON.stringify(name)}: read${at}(cursor)`),
  ]
  const parameters = reads.map((_, at) => `read${at}`)
  // oxlint-disable-next-line typescript/no-implied-eval -- of nothing but the names of our own schemas, as strings
  const make = new Function(...parameters, `return cursor => ({ ${fields.join(', ')} })`) as (...reads: Read[]) => Read
  return make(...reads)
}

const compileSkip = (type: avro.Type): Read => {
  switch (type.typeName) {
    case 'abstract:long':
      return skipLong
    case 'string':
      return skipString
    case 'union:unwrapped':
      return readUnion((type as avro.types.UnwrappedUnionType).types.map(compileSkip))
    case 'array':
      return readArray(compileSkip((type as avro.types.ArrayType).itemsType), ignore)
    case 'record':
      return skipRecord((type as avro.types.RecordType).fields)
    default:
      return compile(type)
  }
}

const ignore = (): void => {}

const skipLong = (cursor: Cursor): void => {
  for (let i = 0; i < 9; i++) if (takeByte(cursor) < 0x80) return
  if (takeByte(cursor) > 1) throw new Malformed('a long is wider than 64 bits')
}

const skipString = (cursor: Cursor): void => {
  const length = bounded(cursor, readVarint(cursor), 'bytes of text')
  const at = pass(cursor, length)
  checkText(cursor.bytes, at, at + length)
}

const skipRecord = (declared: readonly avro.types.Field[]): Read => {
  const skips = declared.map(field => compileSkip(field.type))
  return cursor => {
    for (const skip of skips) skip(cursor)
  }
}
