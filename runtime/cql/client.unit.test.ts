import { createRequire } from 'node:module'
import { errors, types } from 'cassandra-driver'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyCql } from './classify.ts'
import { encodeStatement } from './encode-statement.ts'
import { cqlLimits } from './limits.ts'
import { CqlFailure, type CqlParam, CqlTuple, CqlVarint } from './port.ts'
import { readValue } from './read-value.ts'
import { splitBatches } from './split-batches.ts'

const { dataTypes: codes } = types
type DriverBatch = new (
  queries: readonly object[],
  options: object,
) => { write(encoder: object, streamId: number): Buffer }
type DriverOptions = { empty(): object }
type DriverEncoder = new (version: number, options: object) => { encode(value: unknown, type: object): Buffer }

/** As `toEqual` would find, which takes a second for a megabyte. */
const sameBytes = (one: Buffer | null, other: Buffer | null): boolean =>
  one === null || other === null ? one === other : one.equals(other)

describe('parameters', () => {
  const max = 2n ** 63n - 1n
  const { Encoder } = createRequire(import.meta.url)('cassandra-driver') as { Encoder: DriverEncoder }
  const driver = new Encoder(4, { encoding: { map: Map, useBigIntAsLong: true, useBigIntAsVarint: true } })

  const text = fc.string({ unit: 'grapheme', maxLength: 40 })
  const int64 = fc.bigInt({ min: -max - 1n, max })
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const varint = fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n })
  const udt = {
    code: codes.udt,
    info: {
      fields: [
        { name: 'a', type: { code: codes.bigint } },
        { name: 'b', type: { code: codes.text } },
        { name: 'c', type: { code: codes.int } },
        { name: 'd', type: { code: codes.list, info: { code: codes.int } } },
      ],
    },
  }
  const fields = fc.record({ a: fc.option(int64), b: text, c: int32, d: fc.array(int32) })
  const emptyIsNull = <T extends { readonly d: readonly number[] }>(value: T) =>
    value.d.length === 0 ? { ...value, d: null } : value
  test.each<[string, object, fc.Arbitrary<{ ours: CqlParam; theirs: unknown }>]>([
    ['bigint', { code: codes.bigint }, int64.map(value => ({ ours: value, theirs: value }))],
    ['int', { code: codes.int }, int32.map(value => ({ ours: value, theirs: value }))],
    ['text', { code: codes.text }, text.map(value => ({ ours: value, theirs: value }))],
    ['boolean', { code: codes.boolean }, fc.boolean().map(value => ({ ours: value, theirs: value }))],
    ['varint', { code: codes.varint }, varint.map(value => ({ ours: new CqlVarint(value), theirs: value }))],
    [
      'list<udt>',
      { code: codes.list, info: udt },
      fc.array(fields, { minLength: 1 }).map(all => ({ ours: all, theirs: all.map(emptyIsNull) })),
    ],
    [
      'map<int, varint>',
      { code: codes.map, info: [{ code: codes.int }, { code: codes.varint }] },
      fc.array(fc.tuple(int32, varint), { minLength: 1 }).map(all => ({
        ours: new Map(all.map(([key, value]) => [key, new CqlVarint(value)])),
        theirs: new Map(all),
      })),
    ],
    [
      'tuple<list<int>, bigint>',
      { code: codes.tuple, info: [{ code: codes.list, info: { code: codes.int } }, { code: codes.bigint }] },
      fc.tuple(fc.array(int32), int64).map(([all, value]) => ({
        ours: new CqlTuple(all, value),
        theirs: new types.Tuple(all.length === 0 ? null : all, value),
      })),
    ],
  ])('%s: the bytes that the driver would send', (_, type, values) => {
    fc.assert(
      fc.property(values, text, ({ ours, theirs }, beside) => {
        const { values: bytes } = encodeStatement({ cql: 'x', params: [1n, ours, beside] })
        expect(bytes[1]).toEqual(driver.encode(theirs, type))
        expect(bytes[2]).toEqual(Buffer.from(beside))
      }),
    )
  })
  test('a value within another that outgrows what was reserved keeps its length', () => {
    const all = [{ a: 1n, b: 'x'.repeat(1_000_000), c: 2, d: [3] }]
    const bytes = encodeStatement({ cql: 'x', params: [all] }).values[0] as Buffer
    expect(bytes.equals(driver.encode(all, { code: codes.list, info: udt }))).toBe(true)
  })
  test('statements that share a buffer keep their own bytes, also when one of them moves to another buffer', () => {
    const value = fc.oneof(
      { weight: 30, arbitrary: fc.oneof(int64, fc.constant(null), text) },
      { weight: 1, arbitrary: fc.constant('y'.repeat(50_000)) },
    )
    const sent = (each: bigint | string | null): Buffer | null =>
      each === null ? null : driver.encode(each, { code: typeof each === 'bigint' ? codes.bigint : codes.text })
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 5 }), { minLength: 20, maxLength: 40 }), statements => {
        const encoded = statements.map(params => encodeStatement({ cql: 'x', params }))
        const wrong = encoded.filter(
          ({ params }, at) => !statements[at]?.every((each, i) => sameBytes(params[i] as Buffer | null, sent(each))),
        )
        expect(wrong).toEqual([])
        for (const each of encoded) expect(encodeStatement(each)).toBe(each)
      }),
      { numRuns: 50 },
    )
  })
  test('those that come late are in a request of the driver what they are at once', () => {
    const load = createRequire(import.meta.url)
    const { BatchRequest } = load('cassandra-driver/lib/requests.js') as { BatchRequest: DriverBatch }
    const { ExecutionOptions } = load('cassandra-driver/lib/execution-options.js') as {
      ExecutionOptions: DriverOptions
    }
    const value = fc.oneof(int64, fc.constant(null), text)
    const written = (all: readonly unknown[][]): Buffer =>
      new BatchRequest(
        all.map(params => ({ queryId: Buffer.from('id'), meta: { columns: Array.from(params, () => ({})) }, params })),
        Object.assign(ExecutionOptions.empty(), { getConsistency: () => 6 }),
      ).write(driver, 1)
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 5 }), { minLength: 1, maxLength: 9 }), statements => {
        const encoded = statements.map(params => encodeStatement({ cql: 'x', params }))
        const late = written(encoded.map(({ lateValues }) => lateValues))
        expect(late.equals(written(encoded.map(({ values }) => values)))).toBe(true)
      }),
    )
  })
  test('an int64 passes at its edges; beyond, wherever it hides, it is refused', () => {
    expect(encodeStatement({ cql: 'x', params: [max, -max - 1n] }).bytes).toBe(24)
    const hidden: CqlParam[] = [
      max + 1n,
      -max - 2n,
      new CqlTuple(1n, max + 1n),
      [{ a: [max + 1n] }],
      new Map([[1, max + 1n]]),
    ]
    for (const each of hidden)
      expect(() => encodeStatement({ cql: 'INSERT x', params: [each] })).toThrow(/does not fit an int64.*INSERT x/)
  })
  test('a number that is no int and undefined are refused', () => {
    for (const each of [2 ** 31, 0.5, Number.NaN])
      expect(() => encodeStatement({ cql: 'x', params: [each] })).toThrow(/is no int in: x/)
    expect(() => encodeStatement({ cql: 'x', params: [undefined as unknown as CqlParam] })).toThrow(CqlFailure)
  })
  test('null, an empty list and an empty map are left unset: no tombstone', () => {
    expect(encodeStatement({ cql: 'x', params: [null, [], new Map()] }).values).toEqual([
      types.unset,
      types.unset,
      types.unset,
    ])
  })
  test('what the driver does not give is null', () => {
    expect(readValue(undefined)).toBeNull()
  })
})

describe('batches', () => {
  test('keep the order, lose nothing, and stay within both limits unless one statement alone is larger', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 400 })
    fc.assert(
      fc.property(sizes, all => {
        const statements = all.map((bytes, at) => ({ query: `${at}`, params: [], bytes }))
        const batches = splitBatches(statements)
        expect(batches.flat()).toEqual(statements)
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0)
          expect(batch.length).toBeLessThanOrEqual(cqlLimits.batchStatements)
          const bytes = batch.reduce((sum, each) => sum + each.bytes, 0)
          expect(batch.length === 1 || bytes <= cqlLimits.batchBytes).toBe(true)
        }
      }),
    )
  })
})

describe('errors', () => {
  const response = (code: number): Error => new errors.ResponseError(code, 'x')
  test.each([
    [response(types.responseErrorCodes.writeTimeout), 'again', 'write-timeout'],
    [response(types.responseErrorCodes.unavailableException), 'again', 'unavailable'],
    [response(types.responseErrorCodes.overloaded), 'again', 'overloaded'],
    [response(types.responseErrorCodes.syntaxError), 'refused', 'syntax'],
    [response(types.responseErrorCodes.invalid), 'refused', 'invalid'],
    [response(0x7777), 'refused', 'unknown-response'],
    [new errors.OperationTimedOutError('x'), 'again', 'timeout'],
    [new errors.BusyConnectionError('a', 1, 1), 'again', 'busy'],
    [new errors.NoHostAvailableError({ a: new errors.OperationTimedOutError('x') }), 'again', 'no-node'],
    [new errors.NoHostAvailableError({ a: new Error('No connection available') }), 'again', 'no-node'],
    [new Error('Connection closed'), 'again', 'connection'],
    [new errors.NoHostAvailableError({ a: new errors.AuthenticationError('x') }), 'refused', 'authentication'],
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'again', 'connection'],
    [new TypeError('x'), 'refused', 'argument'],
    [new Error('x'), 'refused', 'unexpected'],
  ])('%s is %s (%s)', (error, kind, code) => {
    expect(classifyCql(error)).toEqual({ kind, code })
  })
})
