import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DecodeRecord, decodeRecordBy, type RecordCursor } from './decode-record.ts'

const load = createRequire(import.meta.url)
const own = load('kafkajs/src/protocol/recordBatch/record/v0/decoder.js') as DecodeRecord
const encode = load('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (record: object) => { buffer: Buffer }
const Decoder = load('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => RecordCursor

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map(each => Buffer.from(each)))
const header = fc.record({ name: fc.string({ maxLength: 5 }), value: fc.string({ maxLength: 5 }) })
const record = fc.record({
  timestampDelta: fc.oneof(fc.integer({ min: -100, max: 1000 }), fc.maxSafeInteger()),
  offsetDelta: fc.nat(100_000),
  key: bytes,
  value: bytes,
  headers: fc
    .array(header, { maxLength: 2 })
    .map(each => Object.fromEntries(each.map(({ name, value }) => [name, value]))),
})
const batch = fc.record({
  firstOffset: fc.oneof(fc.nat(), fc.bigInt(0n, 2n ** 62n)).map(String),
  firstTimestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 42 }), fc.bigInt(0n, 2n ** 62n)).map(String),
  maxTimestamp: fc.integer({ min: 0, max: 2 ** 42 }).map(String),
  timestampType: fc.constantFrom(0, 1),
  magicByte: fc.constant(2),
  isControlBatch: fc.boolean(),
})

test('a record is what kafkajs reads in it', () => {
  fc.assert(
    fc.property(record, batch, (each, context) => {
      const whole = new Decoder(encode(each).buffer).readVarIntBytes() as Buffer
      const [cursor, theirs] = [new Decoder(whole), new Decoder(whole)]
      expect(decodeRecordBy(own)(cursor, context)).toEqual(own(theirs, context))
      expect(cursor.offset).toBe(theirs.offset)
    }),
  )
})

test('most records are read without kafkajs', () => {
  const whole = encode({
    timestampDelta: 86_400_000,
    offsetDelta: 4_000,
    key: Buffer.from('1'),
    value: Buffer.from('v'),
  })
  const cursor = new Decoder(new Decoder(whole.buffer).readVarIntBytes() as Buffer)
  const context = {
    firstOffset: '9007199254736991',
    firstTimestamp: '1700000000000',
    maxTimestamp: '1700000000001',
    timestampType: 0,
    magicByte: 2,
    isControlBatch: false,
  }
  const unused: DecodeRecord = () => {
    throw new Error('read by kafkajs')
  }
  expect(decodeRecordBy(unused)(cursor, context)).toMatchObject({
    offset: '9007199254740991',
    timestamp: '1700086400000',
  })
})
