import { errors, types } from 'cassandra-driver'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bindParams, readValue } from './bind-params.ts'
import { classifyCql } from './classify.ts'
import { InFlight } from './in-flight.ts'
import { cqlLimits } from './limits.ts'
import { CqlFailure, type CqlParam, CqlTuple, CqlVarint } from './port.ts'
import { splitBatches } from './split-batches.ts'

describe('parameters', () => {
  const max = 2n ** 63n - 1n
  test('an int64 passes at its edges; beyond, wherever it hides, it is refused', () => {
    expect(bindParams([max, -max - 1n], 'x').values).toEqual([max, -max - 1n])
    const hidden: CqlParam[] = [
      max + 1n,
      -max - 2n,
      new CqlTuple(1n, max + 1n),
      [{ a: [max + 1n] }],
      new Map([[1, max + 1n]]),
    ]
    for (const each of hidden) expect(() => bindParams([each], 'INSERT x')).toThrow(/does not fit an int64.*INSERT x/)
  })
  test('a varint may be of any size, and undefined is refused', () => {
    expect(bindParams([new Map([[1, new CqlVarint(max * max)]])], 'x').values).toEqual([new Map([[1, max * max]])])
    expect(() => bindParams([undefined as unknown as CqlParam], 'x')).toThrow(CqlFailure)
  })
  test('null, an empty list and an empty map are left unset: no tombstone', () => {
    expect(bindParams([null, [], new Map()], 'x').values).toEqual([types.unset, types.unset, types.unset])
  })
  test('what was bound is read back', () => {
    const param: CqlParam = [
      { a: 1n, b: 'x' },
      { a: 2n, b: '' },
    ]
    expect(readValue(bindParams([param], 'x').values[0])).toEqual(param)
    expect(readValue(bindParams([new CqlTuple(1n, 2, 'c')], 'x').values[0])).toEqual([1n, 2, 'c'])
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

describe('requests under way', () => {
  test('never more than the limit, in order, and a failure frees its place', async () => {
    const inFlight = new InFlight(3)
    let [running, most] = [0, 0]
    const order: number[] = []
    const tasks = Array.from({ length: 20 }, (_, at) =>
      inFlight
        .run(async () => {
          most = Math.max(most, ++running)
          order.push(at)
          await new Promise(setImmediate)
          running--
          if (at % 4 === 0) throw new Error(`${at}`)
        })
        .catch(() => {}),
    )
    await Promise.all(tasks)
    expect([most, running, inFlight.running]).toEqual([3, 0, 0])
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at))
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
