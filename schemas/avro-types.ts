import { readFileSync } from 'node:fs'
import avro from 'avsc'

/** Avro longs as bigint, whole range of int64; avsc's own turn into numbers and flip signs below −2^52. */
const bigintLong = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => value.toString(),
  isValid: (value: unknown) => typeof value === 'bigint' && value >= -(2n ** 63n) && value < 2n ** 63n,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
})

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
