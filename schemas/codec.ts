import type avro from 'avsc'
import type {
  CommandRecord,
  EngineOutput,
  EnginePosition,
  LogRecord,
  UserHead,
  UserOutput,
  UserRecord,
} from '../core/events.ts'
import type { Pos, UserId } from '../core/ids.ts'
import { userOf } from '../core/user-of.ts'
import { checkerOf, kindReaderOf, type Reader, readerOf, untilArrayReaderOf } from './avro-reader.ts'
import { schemaIds, typeNamed, types } from './avro-types.ts'
import { DecodeError } from './decode-error.ts'

export { DecodeError }

/** A value outside its schema: which record, which field, which value. A bug of whoever made the record. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError'
  readonly code = 'unencodable'
}

const headerBytes = 5
const engineOutput = typeNamed('settle.EngineOutput')
const readEngineOutput = readerOf(engineOutput)
const checkEngineOutput = checkerOf(engineOutput)

function typeOfField(recordName: string, field: string): avro.Type {
  const record = typeNamed(recordName) as avro.types.RecordType
  const found = record.field(field)
  if (!found) throw new Error(`${recordName} has no field ${field}`)
  return found.type
}

const frameHeader = (id: number): Buffer => {
  const header = Buffer.alloc(headerBytes)
  header.writeInt32BE(id, 1)
  return header
}

type Schema = {
  readonly kind: string
  /** For messages. */
  readonly what: string
  readonly framing: Buffer
  readonly type: avro.types.RecordType
  readonly read: Reader
}
type Family = {
  /** For messages, where the kind is not known. */
  readonly what: string
  readonly byId: ReadonlyMap<number, Schema>
  readonly byKind: ReadonlyMap<string, Schema>
}

const family = (prefix: string, topic: string): Family => {
  const what = `${topic} record`
  const names = [...types.keys()].filter(name => name.startsWith(prefix))
  const schemas = names.map((name): [number, Schema] => {
    const id = schemaIds[name] as number
    const kind = name.slice(prefix.length)
    const type = typeNamed(name) as avro.types.RecordType
    return [id, { kind, what: `${what} ${kind}`, framing: frameHeader(id), type, read: kindReaderOf(type, kind) }]
  })
  return { what, byId: new Map(schemas), byKind: new Map(schemas.map(([, schema]) => [schema.kind, schema])) }
}
const log = family('settle.log.', 'engine.outputs')
const user = family('settle.user.', 'user.outputs')
const commands = family('settle.command.', 'operator.commands')

/** Records are written here first: how long one is shows at its end. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024)

const encode = ({ what, byKind }: Family, record: { readonly kind: string }): Buffer => {
  const schema = byKind.get(record.kind)
  if (!schema) throw new EncodeError(`${what}: no schema for kind ${record.kind}`)
  const writeInto = (buffer: Buffer): number => {
    schema.framing.copy(buffer)
    return guarded(schema.type, record, schema.what, () => schema.type.encode(record, buffer, headerBytes))
  }
  const end = writeInto(scratch)
  if (end >= 0) return Buffer.from(scratch.subarray(0, end))
  // So many bytes are missing.
  const whole = Buffer.allocUnsafe(scratch.length - end)
  writeInto(whole)
  return whole
}

const schemaOf = ({ what, byId }: Family, bytes: Buffer): Schema => {
  if (bytes.length < headerBytes || bytes[0] !== 0)
    throw new DecodeError(`${what}: ${bytes.length} bytes that do not begin with byte 0 and a schema id`)
  const id = bytes.readInt32BE(1)
  const schema = byId.get(id)
  if (!schema) throw new DecodeError(`${what}: schema id ${id} is not one of ${[...byId.keys()].join(', ')}`)
  return schema
}

const decode = (family: Family, bytes: Buffer): unknown => {
  const { read, what } = schemaOf(family, bytes)
  return read(bytes.subarray(headerBytes), what)
}

/** What `write` does, or which field of the value is to blame. */
const guarded = <T>(type: avro.Type, value: unknown, what: string, write: () => T): T => {
  try {
    return write()
  } catch (cause) {
    throw new EncodeError(`${what}: ${firstMisfit(type, value) ?? (cause as Error).message}`, { cause })
  }
}

const firstMisfit = (type: avro.Type, value: unknown): string | undefined => {
  let found: string | undefined
  const errorHook = (path: readonly string[], at: unknown, expected: avro.Type): void => {
    found ??= `${path.join('.')} is ${shown(at)}, which is no ${expected.typeName.replace(/^\w+:/, '')}`
  }
  type.isValid(value, { errorHook })
  return found
}

const shown = (value: unknown): string => {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 100))
  if (Buffer.isBuffer(value)) return `${value.length} bytes`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** A record of `engine.outputs` in the Confluent framing. @throws EncodeError */
export const encodeLogRecord = (record: LogRecord): Buffer => encode(log, record)

/** @throws DecodeError */
export const decodeLogRecord = (bytes: Buffer): LogRecord => decode(log, bytes) as LogRecord

/** A record of `user.outputs` in the Confluent framing. @throws EncodeError */
export const encodeUserRecord = (record: UserRecord): Buffer => encode(user, record)

/** @throws DecodeError */
export const decodeUserRecord = (bytes: Buffer): UserRecord => decode(user, bytes) as UserRecord

/** What is known of a record of `user.outputs` without decoding it. */
export type UserOutline = UserHead & {
  /** Whose balances it is about; null for a record that is about nobody's. */
  readonly user: UserId | null
  /** Whether it changes orders of its user. */
  readonly hasOrders: boolean
}

type OutlineReader = (body: Buffer, schema: Schema) => UserOutline

const outlineOfOutput = (type: avro.types.RecordType): OutlineReader => {
  const read = untilArrayReaderOf(type, 'orders')
  return (body, { what }) => {
    const { before, hasItems } = read(body, what) as { readonly before: UserOutput; readonly hasItems: boolean }
    const { n, src, pos, user: whose } = before
    return { n, src, pos, user: whose, hasOrders: hasItems }
  }
}

/** All others are few: they are decoded for it. */
const outlineOfRare: OutlineReader = (body, { read, what }) => {
  const record = read(body, what) as UserRecord
  const { n, src, pos } = record
  return { n, src, pos, user: userOf(record), hasOrders: false }
}

const outlineReaders = new Map(
  [...user.byId.values()].map(schema => [
    schema,
    schema.kind === 'UserOutput' ? outlineOfOutput(schema.type) : outlineOfRare,
  ]),
)

/** Where a record of `user.outputs` stands and whose it is; of most, no more is looked at. @throws DecodeError */
export const decodeUserOutline = (bytes: Buffer): UserOutline => {
  const schema = schemaOf(user, bytes)
  return (outlineReaders.get(schema) as OutlineReader)(bytes.subarray(headerBytes), schema)
}

/** A record of `operator.commands` in the Confluent framing. @throws EncodeError */
export const encodeCommandRecord = (record: CommandRecord): Buffer => encode(commands, record)

/** @throws DecodeError */
export const decodeCommandRecord = (bytes: Buffer): CommandRecord => decode(commands, bytes) as CommandRecord

/** The payload of an `OUT` frame: plain Avro, no framing. @throws EncodeError */
export const encodeEngineOutput = (output: EngineOutput): Buffer =>
  guarded(engineOutput, output, 'engine payload', () => engineOutput.toBuffer(output))

/** @throws DecodeError */
export const decodeEngineOutput = (payload: Buffer): EngineOutput =>
  readEngineOutput(payload, 'engine payload') as EngineOutput

/** Which record of the log a payload becomes, decodable as a whole; faster than decoding it. @throws DecodeError */
export const recordKindOf = (payload: Buffer): 'Output' | 'Reference' => {
  checkEngineOutput(payload, 'engine payload')
  // The time, a long, stands before the branch of the union.
  let at = 0
  while ((payload[at] ?? 0) >= 0x80) at++
  return payload[at + 1] === 0 ? 'Output' : 'Reference'
}

/** Bytes of an `Output` or `Reference` record around a payload, whose pos is of these centuries. */
export const logOutputBytes = (payload: Buffer): number => headerBytes + posBytes + enginePositionBytes + payload.length
/** A time in µs from 1979 to 3111 takes so many as a long of Avro. */
const posBytes = 8
const posRange = { from: 2n ** 48n, to: 2n ** 55n }

/**
 * Writes an `Output` or `Reference` record into `into`, but for its pos, which is not known yet: `stampLogOutput` adds
 * it. The payload stands in the record exactly as it came, so that anyone can check the chain from the log alone.
 */
export const writeLogOutput = (
  kind: 'Output' | 'Reference',
  { at, payload }: { readonly at: EnginePosition; readonly payload: Buffer },
  into: Buffer,
): void => {
  const { framing } = log.byKind.get(kind) as Schema
  framing.copy(into)
  const start = headerBytes + posBytes
  into.writeBigUInt64BE(at.epoch, start)
  into.writeBigUInt64BE(at.random, start + 8)
  into.writeBigUInt64BE(at.seq, start + 16)
  at.chain.copy(into, start + 24)
  payload.copy(into, start + enginePositionBytes)
}

/** Where the log stands with a record that `writeLogOutput` wrote and that has no pos yet. */
export const positionOfLogOutput = (record: Buffer): EnginePosition => {
  const start = headerBytes + posBytes
  return {
    epoch: record.readBigUInt64BE(start),
    random: record.readBigUInt64BE(start + 8),
    seq: record.readBigUInt64BE(start + 16),
    chain: Buffer.from(record.subarray(start + 24, start + enginePositionBytes)),
  }
}

/** The record with its pos: the same bytes, or others for a pos that takes another length. */
export const stampLogOutput = (record: Buffer, pos: Pos): Buffer => {
  if (pos < posRange.from || pos >= posRange.to)
    return Buffer.concat([record.subarray(0, headerBytes), long.toBuffer(pos), record.subarray(headerBytes + posBytes)])
  const zigzag = pos * 2n
  let low = Number(zigzag & 0xfffffffn)
  let high = Number(zigzag >> 28n)
  for (let i = 0; i < 4; i++) {
    record[headerBytes + i] = (low & 0x7f) | 0x80
    record[headerBytes + 4 + i] = (high & 0x7f) | 0x80
    low >>>= 7
    high >>>= 7
  }
  const last = headerBytes + posBytes - 1
  record[last] = (record[last] as number) & 0x7f
  return record
}
const long = typeOfField('settle.log.Output', 'pos')

/** The engine's payload inside an encoded `Output` or `Reference` record. @throws DecodeError for any other record */
export const payloadOf = (bytes: Buffer): Buffer => {
  const kind = bytes.length < headerBytes || bytes[0] !== 0 ? undefined : log.byId.get(bytes.readInt32BE(1))?.kind
  if (kind !== 'Output' && kind !== 'Reference')
    throw new DecodeError(`a record of kind ${kind ?? 'unknown'} holds no engine payload; Output and Reference do`)
  let at = headerBytes
  while ((bytes[at] ?? 0) >= 0x80) at++
  const start = at + 1 + enginePositionBytes
  if (start > bytes.length) throw new DecodeError(`a record of kind ${kind} is cut off after ${bytes.length} bytes`)
  return bytes.subarray(start)
}
const enginePositionBytes = 8 + 8 + 8 + 32
