import { readFileSync } from 'node:fs'
import avro from 'avsc'

const packing = Buffer.alloc(10)
/** The begins of one buffer by their length: avsc copies at once what it is given. */
const packed = Array.from({ length: packing.length + 1 }, (_, length) => packing.subarray(0, length))

/** A zigzag integer of variable length. Up to 53 bits it is made of numbers, which is several times as fast. */
const packLong = (value: bigint): Buffer => {
  const rough = Number(value)
  if (rough < -largestNumber || rough >= largestNumber)
    return packWide(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
  let left = rough < 0 ? -2 * rough - 1 : 2 * rough
  let length = 0
  for (; left > 0x7f; left = Math.floor(left / 0x80)) packing[length++] = (left & 0x7f) | 0x80
  packing[length++] = left
  return packed[length] as Buffer
}
const largestNumber = 2 ** 52

const packWide = (zigzag: bigint): Buffer => {
  let length = 0
  let left = zigzag
  for (; left > 0x7fn; left >>= 7n) packing[length++] = Number(left & 0x7fn) | 0x80
  packing[length++] = Number(left)
  return packed[length] as Buffer
}

const unpackLong = (bytes: Buffer): bigint => {
  const zigzag = bytes.reduceRight((high, byte) => (high << 7n) | BigInt(byte & 0x7f), 0n)
  return (zigzag >> 1n) ^ -(zigzag & 1n)
}

/** Avro longs as bigint, whole range of int64; avsc's own turn into numbers and flip signs below −2^52. */
const bigintLong = avro.types.LongType.__with(
  {
    fromBuffer: unpackLong,
    toBuffer: packLong,
    fromJSON: (value: number | string) => BigInt(value),
    toJSON: (value: bigint) => value.toString(),
    isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
    compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
  },
  true,
)

/** fixed(8), big-endian, as an unsigned bigint. */
class U64Type extends avro.types.LogicalType {
  protected override _fromValue(value: Buffer): bigint {
    return value.readBigUInt64BE()
  }
  protected override _toValue(value: unknown): Buffer {
    if (typeof value !== 'bigint' || value < 0n || value >= 2n ** 64n)
      throw new RangeError(`not a u64: ${String(value)}`)
    const buffer = Buffer.alloc(8)
    buffer.writeBigUInt64BE(value)
    return buffer
  }
}

const decimalLimit = 10n ** 38n

/** decimal(38, 0) in bytes: two's complement, big-endian, as a bigint. */
class DecimalType extends avro.types.LogicalType {
  protected override _fromValue(value: Buffer): bigint {
    return value.length === 0 ? 0n : BigInt.asIntN(value.length * 8, BigInt(`0x${value.toString('hex')}`))
  }
  protected override _toValue(value: unknown): Buffer {
    if (typeof value !== 'bigint' || value <= -decimalLimit || value >= decimalLimit)
      throw new RangeError(`not a decimal of 38 digits: ${String(value)}`)
    let length = 1
    while (BigInt.asIntN(length * 8, value) !== value) length++
    const hex = BigInt.asUintN(length * 8, value).toString(16)
    return Buffer.from(hex.padStart(length * 2, '0'), 'hex')
  }
}

const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`./avro/${file}.avsc`, import.meta.url), 'utf8'))

/** Full schema name → pinned id in the Confluent framing. An id, once given, belongs to its schema for ever. */
export const schemaIds: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(new URL('./ids.json', import.meta.url), 'utf8'),
)

/** The schemas as they stand in `avro/`, in the order of their references. */
export const schemaSources: readonly unknown[] = [
  'engine-output',
  'common',
  'log-records',
  'user-records',
  'command-records',
].flatMap(file => read(file))

type WrapLongs = (schema: unknown, options: avro.ForSchemaOptions) => avro.Type | undefined
const typeHook: WrapLongs = schema => {
  const type = typeof schema === 'string' ? schema : (schema as { type?: unknown }).type
  return type === 'long' ? bigintLong : undefined
}

const parse = (): ReadonlyMap<string, avro.Type> => {
  const registry: Record<string, avro.Type> = {}
  const options = {
    registry,
    typeHook,
    logicalTypes: { u64: U64Type, decimal: DecimalType },
    omitRecordMethods: true,
  } as unknown as avro.ForSchemaOptions
  for (const schema of schemaSources) avro.Type.forSchema(schema as avro.Schema, options)
  return new Map(
    Object.keys(schemaIds).map(name => {
      const type = registry[name]
      if (!type) throw new Error(`schemas/ids.json pins ${name}, which no .avsc defines`)
      return [name, type]
    }),
  )
}

/** Every pinned type by its full name. */
export const types: ReadonlyMap<string, avro.Type> = parse()

/** The pinned type of that full name. */
export const typeNamed = (name: string): avro.Type => {
  const type = types.get(name)
  if (!type) throw new Error(`no pinned schema is named ${name}`)
  return type
}
