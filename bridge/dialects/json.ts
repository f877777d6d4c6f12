import type avro from 'avsc'
import type { EngineOutput, Session } from '../../core/events.ts'
import { typeNamed } from '../../schemas/avro-types.ts'
import { encodeEngineOutput } from '../../schemas/codec.ts'
import { DecodeError } from '../../schemas/decode-error.ts'
import type { BridgeFrame } from '../../schemas/frames.ts'
import type { Dialect, DialectFrame, ToldPosition } from './dialect.ts'
import { integerOf, type JsonObject, type JsonValue, OtherNumber, parseExactJson } from './exact-json.ts'

/** Turns JSON into a value of ours. @throws DecodeError naming the field and what stands there */
type Shape<T> = (value: JsonValue, path: string) => T

/** An output nests to output, reference, assets, asset. */
const maxDepth = 4

const refused = (path: string, value: JsonValue, wanted: string): DecodeError =>
  new DecodeError(`${path} is ${shown(value)}, not ${wanted}`)

const shown = (value: JsonValue): string => {
  if (value instanceof OtherNumber) return value.source.slice(0, 60)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** A JSON integer, or a string of its digits for engines whose JSON has no wide integers. */
const integer = (min: bigint, max: bigint): Shape<bigint> => {
  const wanted = `an integer from ${min} to ${max}`
  return (value, path) => {
    const found = typeof value === 'string' ? integerOf(value) : value
    if (typeof found === 'bigint' && found >= min && found <= max) return found
    throw refused(path, value, wanted)
  }
}
const long = integer(-(2n ** 63n), 2n ** 63n - 1n)
const wideInt = integer(-(2n ** 31n), 2n ** 31n - 1n)
const int: Shape<number> = (value, path) => Number(wideInt(value, path))
const u64 = integer(0n, 2n ** 64n - 1n)

const text: Shape<string> = (value, path) => {
  // Half a surrogate pair has no UTF-8: it would be written as something else.
  if (typeof value === 'string' && value.isWellFormed()) return value
  throw refused(path, value, 'a string of Unicode')
}
const bool: Shape<boolean> = (value, path) => {
  if (typeof value === 'boolean') return value
  throw refused(path, value, 'true or false')
}
const oneOf =
  (symbols: readonly string[]): Shape<string> =>
  (value, path) => {
    if (typeof value === 'string' && symbols.includes(value)) return value
    throw refused(path, value, `one of ${symbols.join(', ')}`)
  }
const list =
  <T>(item: Shape<T>): Shape<readonly T[]> =>
  (value, path) => {
    if (Array.isArray(value)) return value.map((each, i) => item(each, `${path}[${i}]`))
    throw refused(path, value, 'an array')
  }
const orNull =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === null ? null : shape(value, path)

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof OtherNumber)

/** An object with exactly these fields. */
const object = <T>(fields: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> => {
  const shapes = Object.entries<Shape<unknown>>(fields)
  const known = new Set(Object.keys(fields))
  return (value, path) => {
    if (!isObject(value)) throw refused(path, value, 'an object')
    const found: Record<string, unknown> = {}
    for (const [name, shape] of shapes) {
      if (!Object.hasOwn(value, name)) throw new DecodeError(`${path}.${name} is missing`)
      found[name] = shape(value[name] as JsonValue, `${path}.${name}`)
    }
    const unknown = Object.keys(value).find(name => !known.has(name))
    if (unknown !== undefined) throw new DecodeError(`${path}.${unknown.slice(0, 60)} is no field of ours`)
    return found as T
  }
}

/** The shape in JSON of what Avro's schema says: the same names, enums by their symbols. */
const shapeOf = (type: avro.Type): Shape<unknown> => {
  switch (type.typeName) {
    case 'abstract:long':
      return long
    case 'int':
      return int
    case 'string':
      return text
    case 'enum':
      return oneOf((type as avro.types.EnumType).symbols)
    case 'array':
      return list(shapeOf((type as avro.types.ArrayType).itemsType))
    case 'record':
      return object(
        Object.fromEntries((type as avro.types.RecordType).fields.map(field => [field.name, shapeOf(field.type)])),
      )
    case 'union:unwrapped': {
      const [none, some, ...more] = (type as avro.types.UnwrappedUnionType).types
      if (none?.typeName === 'null' && some && more.length === 0) return orNull(shapeOf(some))
      throw new Error('the JSON dialect knows unions of null and one other type only')
    }
    default:
      throw new Error(`the JSON dialect has no shape for Avro type ${type.typeName}; add one to dialects/json.ts`)
  }
}
const engineOutput = shapeOf(typeNamed('settle.EngineOutput')) as Shape<EngineOutput>

const session: Shape<Session> = object<Session>({ epoch: integer(1n, 2n ** 64n - 1n), random: u64 })
const place = { epoch: integer(1n, 2n ** 64n - 1n), random: u64, seq: u64 }
const chain: Shape<Buffer> = (value, path) => {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return Buffer.from(value, 'hex')
  throw refused(path, value, '64 digits of lower-case hexadecimal')
}
const chained = object<ToldPosition>({ ...place, chain })
const unchained = object<Omit<ToldPosition, 'chain'>>(place)
const position: Shape<ToldPosition> = (value, path) =>
  isObject(value) && Object.hasOwn(value, 'chain') ? chained(value, path) : { ...unchained(value, path), chain: null }
const clock = object<{ clock: bigint }>({ clock: long })
const end = object<{ over: boolean; next: Session | null }>({ over: bool, next: orNull(session) })

const read = <T>(bytes: Buffer, shape: Shape<T>, kind: string, part: 'header' | 'payload'): T => {
  const what = `JSON ${kind} ${part}`
  return shape(parseExactJson(bytes, { what, maxDepth }), what)
}

const decode = (frames: readonly Buffer[]): DialectFrame => {
  const [first, header, payload] = frames
  if (!first || !header || !payload || frames.length !== 3)
    throw new DecodeError(`message of ${frames.length} frames, not the three [kind, header, payload]`)
  const kind = first.toString('latin1')
  switch (kind) {
    case 'OUT': {
      const at = read(header, position, kind, 'header')
      if (at.seq === 0n) throw new DecodeError('JSON OUT header.seq is 0; outputs are numbered from 1')
      return { kind, at, payload: encodeEngineOutput(read(payload, engineOutput, kind, 'payload')) }
    }
    case 'HBT':
      return {
        kind,
        at: read(header, position, kind, 'header'),
        clockUs: read(payload, clock, kind, 'payload').clock,
      }
    case 'END': {
      const { over, next } = read(payload, end, kind, 'payload')
      if (next && !over) throw new DecodeError('JSON END payload.next: a session that is not over has none after it')
      return { kind, at: read(header, position, kind, 'header'), over, next }
    }
    case 'EOS':
    case 'TRIMMED':
      if (payload.length > 0) throw new DecodeError(`JSON ${kind} payload: ${payload.length} bytes, not 0`)
      return { kind, at: read(header, position, kind, 'header') }
    default:
      throw new DecodeError(`JSON engine frame of unknown kind ${JSON.stringify(kind.slice(0, 16))}`)
  }
}

// Sessions are u64: written out in full, never through a number.
const sessionText = ({ epoch, random }: Session): string => `{"epoch":${epoch},"random":${random}}`

const headerText = (frame: BridgeFrame): string => {
  switch (frame.kind) {
    case 'REPLAY':
      return `{"session":${frame.session ? sessionText(frame.session) : 'null'},"from":${frame.from},"to":${frame.to}}`
    case 'ACK':
      return `{"stream":${JSON.stringify(frame.stream)},"session":${sessionText(frame.session)},"seq":${frame.seq}}`
  }
}
const encode = (frame: BridgeFrame): readonly Buffer[] => [
  Buffer.from(frame.kind, 'ascii'),
  Buffer.from(headerText(frame), 'utf8'),
  Buffer.alloc(0),
]

/** Our own frames and outputs with JSON for header and payload; docs/dialects.md shows each. */
export const jsonDialect: Dialect = { expansion: 8, decode, encode }
