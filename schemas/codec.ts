import type avro from 'avsc'
import type { EngineOutput, EnginePosition, LogRecord, UserRecord } from '../core/events.ts'
import type { Pos } from '../core/ids.ts'
import { schemaIds, typeNamed, types } from './avro-types.ts'

/** Bytes that are not what they should be: which schema was expected, and what was found. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly code = 'undecodable'
}

const headerBytes = 5
const engineOutput = typeNamed('settle.EngineOutput')
const enginePosition = typeOfField('settle.log.Output', 'at')

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

type Family = { readonly byId: ReadonlyMap<number, readonly [string, avro.Type]>; readonly byKind: Framed }
type Framed = ReadonlyMap<string, readonly [Buffer, avro.Type]>

const family = (prefix: string): Family => {
  const names = [...types.keys()].filter(name => name.startsWith(prefix))
  const idOf = (name: string): number => schemaIds[name] as number
  return {
    byId: new Map(names.map(name => [idOf(name), [name.slice(prefix.length), typeNamed(name)]])),
    byKind: new Map(names.map(name => [name.slice(prefix.length), [frameHeader(idOf(name)), typeNamed(name)]])),
  }
}
const log = family('settle.log.')
const user = family('settle.user.')

const encode = ({ byKind }: Family, record: { readonly kind: string }): Buffer => {
  const framed = byKind.get(record.kind)
  if (!framed) throw new Error(`no schema for a record of kind ${record.kind}`)
  return Buffer.concat([framed[0], framed[1].toBuffer(record)])
}

const decode = ({ byId }: Family, bytes: Buffer, what: string): unknown => {
  if (bytes.length < headerBytes || bytes[0] !== 0)
    throw new DecodeError(`${what}: ${bytes.length} bytes that do not begin with byte 0 and a schema id`)
  const id = bytes.readInt32BE(1)
  const entry = byId.get(id)
  if (!entry) throw new DecodeError(`${what}: schema id ${id} is not one of ${[...byId.keys()].join(', ')}`)
  return Object.assign(fromBytes(entry[1], bytes.subarray(headerBytes), `${what} ${entry[0]}`), { kind: entry[0] })
}

const fromBytes = (type: avro.Type, bytes: Buffer, what: string): object => {
  try {
    return type.fromBuffer(bytes)
  } catch (cause) {
    throw new DecodeError(`${what}: ${bytes.length} bytes do not decode as ${type.name ?? 'their schema'}`, { cause })
  }
}

/** A record of `engine.outputs` in the Confluent framing. Throws on a value outside its schema. */
export const encodeLogRecord = (record: LogRecord): Buffer => encode(log, record)

/** @throws DecodeError */
export const decodeLogRecord = (bytes: Buffer): LogRecord => decode(log, bytes, 'engine.outputs record') as LogRecord

/** A record of `user.outputs` in the Confluent framing. Throws on a value outside its schema. */
export const encodeUserRecord = (record: UserRecord): Buffer => encode(user, record)

/** @throws DecodeError */
export const decodeUserRecord = (bytes: Buffer): UserRecord => decode(user, bytes, 'user.outputs record') as UserRecord

/** The payload of an `OUT` frame: plain Avro, no framing. */
export const encodeEngineOutput = (output: EngineOutput): Buffer => engineOutput.toBuffer(output)

/** @throws DecodeError */
export const decodeEngineOutput = (payload: Buffer): EngineOutput =>
  fromBytes(engineOutput, payload, 'engine payload') as EngineOutput

/**
 * An `Output` or `Reference` record around a payload that is already encoded: the engine's bytes stand in the log
 * exactly as they came, so that anyone can check the chain from the log alone.
 */
export const encodeLogOutput = (
  kind: 'Output' | 'Reference',
  { pos, at, payload }: { readonly pos: Pos; readonly at: EnginePosition; readonly payload: Buffer },
): Buffer => {
  const framed = log.byKind.get(kind) as readonly [Buffer, avro.Type]
  return Buffer.concat([framed[0], long.toBuffer(pos), enginePosition.toBuffer(at), payload])
}
const long = typeOfField('settle.log.Output', 'pos')

/** The engine's payload inside an encoded `Output` or `Reference` record. */
export const payloadOf = (bytes: Buffer): Buffer => {
  const head = bytes.subarray(headerBytes)
  const afterPos = (long as unknown as Skipping).decode(head, 0).offset
  return head.subarray(afterPos + enginePositionBytes)
}
type Skipping = { decode(buffer: Buffer, offset: number): { value: unknown; offset: number } }
const enginePositionBytes = 8 + 8 + 8 + 32
