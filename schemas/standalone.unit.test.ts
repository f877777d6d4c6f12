import avro from 'avsc'
import { expect, test } from 'vitest'
import type { LogRecord, UserRecord } from '../core/events.ts'
import { schemaIds, schemaSources } from './avro-types.ts'
import { encodeLogRecord, encodeUserRecord } from './codec.ts'
import { logRecords, userRecords } from './golden-examples.ts'
import { standaloneSchema } from './standalone.ts'

/** A stranger's reader: nothing but the schema, no hooks, no registry of ours. */
const read = (name: string, bytes: Buffer): unknown => {
  const long = avro.types.LongType.__with({
    fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
    toBuffer: () => Buffer.alloc(8),
    fromJSON: (value: unknown) => value,
    toJSON: (value: unknown) => value,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: () => 0,
  })
  const type = avro.Type.forSchema(standaloneSchema(name) as avro.Schema, { registry: { long } })
  return type.fromBuffer(bytes.subarray(5))
}

test.each(Object.keys(schemaIds))('%s needs no other schema', name => {
  const parsed = avro.Type.forSchema(standaloneSchema(name) as avro.Schema)
  expect(parsed.name).toBe(name)
})

test('a stranger reads a record with nothing but the standalone schema', () => {
  const output = read('settle.log.Output', encodeLogRecord(logRecords['Output'] as LogRecord))
  expect(output).toMatchObject({ output: { trades: [{ trade: 3n, quote: 13_000_000n, taker: 'Buy' }] } })
  const share = read('settle.user.UserOutput', encodeUserRecord(userRecords['UserOutput'] as UserRecord))
  expect(share).toMatchObject({ n: 12n, user: 1001n, changes: [{ index: 3 }, { index: 4 }] })
})

test('a type stands whole where it is used first, and by its full name after that', () => {
  const text = JSON.stringify(standaloneSchema('settle.log.Gap'))
  expect(text.match(/"name":"EnginePosition"/g)).toHaveLength(1)
  expect(text.match(/"settle.EnginePosition"/g)).toHaveLength(1)
  expect(text).not.toMatch(/"type":"U64"/)
})

test('the sources stay as they are', () => {
  const before = JSON.stringify(schemaSources)
  standaloneSchema('settle.user.UserOutput')
  expect(JSON.stringify(schemaSources)).toBe(before)
})

test('a name that no schema has is an error', () => {
  expect(() => standaloneSchema('settle.Nothing')).toThrow('no schema is named settle.Nothing')
})
