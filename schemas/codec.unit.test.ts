import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EngineOutput, LogRecord, UserRecord } from '../core/events.ts'
import { anyCommandRecord, anyEngineOutput, anyLogRecord, anyPosition, anyUserRecord } from './arbitrary-records.ts'
import { typeNamed } from './avro-types.ts'
import {
  DecodeError,
  decodeCommandRecord,
  decodeEngineOutput,
  decodeLogRecord,
  decodeUserOutline,
  decodeUserRecord,
  EncodeError,
  encodeCommandRecord,
  encodeEngineOutput,
  encodeLogRecord,
  encodeUserRecord,
  logOutputBytes,
  payloadOf,
  positionOfLogOutput,
  recordKindOf,
  stampLogOutput,
  writeLogOutput,
} from './codec.ts'
import { engineOutputs, logRecords, userRecords } from './golden-examples.ts'

const decoders = [decodeEngineOutput, decodeLogRecord, decodeUserRecord, decodeUserOutline]
const thrownBy = (act: () => unknown): unknown => {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}
const trade = engineOutputs['trade'] as EngineOutput
const tick = logRecords['Tick'] as LogRecord

const whoseIs = (record: UserRecord): bigint | null => {
  if (record.kind === 'UserCorrection') return record.correction.user
  return 'user' in record ? record.user : null
}

describe('any record', () => {
  test('comes back as it was', () => {
    const same = <T>(any: fc.Arbitrary<T>, encode: (value: T) => Buffer, decode: (bytes: Buffer) => T): void =>
      fc.assert(
        fc.property(any, value => {
          expect(decode(encode(value))).toEqual(value)
        }),
      )
    same(anyEngineOutput, encodeEngineOutput, decodeEngineOutput)
    same(anyLogRecord, encodeLogRecord, decodeLogRecord)
    same(anyUserRecord, encodeUserRecord, decodeUserRecord)
    same(anyCommandRecord, encodeCommandRecord, decodeCommandRecord)
  })

  test('of user.outputs tells where it stands and whose it is without the rest', () => {
    fc.assert(
      fc.property(anyUserRecord, record => {
        const { n, src, pos } = record
        const bytes = encodeUserRecord(record)
        const hasOrders = record.kind === 'UserOutput' && record.orders.length > 0
        expect(decodeUserOutline(bytes)).toEqual({ n, src, pos, user: whoseIs(record), hasOrders })
        expect(thrownBy(() => decodeUserOutline(bytes.subarray(0, 7)))).toBeInstanceOf(DecodeError)
      }),
    )
  })

  test('is read as avsc reads it', () => {
    const type = typeNamed('settle.EngineOutput')
    fc.assert(
      fc.property(anyEngineOutput, value => {
        const bytes = type.toBuffer(value)
        expect(decodeEngineOutput(bytes)).toEqual(type.fromBuffer(bytes))
      }),
    )
  })

  test('cut anywhere, or with bytes after its end, is a DecodeError', () => {
    fc.assert(
      fc.property(
        anyLogRecord,
        anyUserRecord,
        anyEngineOutput,
        fc.nat(),
        fc.uint8Array({ minLength: 1 }),
        (log, user, output, at, more) => {
          const all = [encodeEngineOutput(output), encodeLogRecord(log), encodeUserRecord(user)]
          all.forEach((bytes, i) => {
            const decode = decoders[i] as (bytes: Buffer) => unknown
            expect(thrownBy(() => decode(bytes.subarray(0, at % bytes.length)))).toBeInstanceOf(DecodeError)
            expect(thrownBy(() => decode(Buffer.concat([bytes, more])))).toBeInstanceOf(DecodeError)
          })
        },
      ),
    )
  })

  test('around an encoded payload holds the very bytes', () => {
    fc.assert(
      fc.property(
        anyEngineOutput,
        anyPosition,
        fc.constantFrom('Output' as const, 'Reference' as const),
        (output, at, kind) => {
          const payload = encodeEngineOutput(output)
          const ends = [2n ** 48n - 1n, 2n ** 48n, 2n ** 55n - 1n, 2n ** 55n, 1_700_000_000_123_456n]
          for (const pos of [-(2n ** 63n), 0n, 2n ** 63n - 1n, ...ends] as LogRecord['pos'][]) {
            const record = Buffer.alloc(logOutputBytes(payload), 0xff)
            writeLogOutput(kind, { at, payload }, record)
            expect(positionOfLogOutput(record)).toEqual(at)
            const bytes = stampLogOutput(record, pos)
            expect(bytes).toEqual(encodeLogRecord({ kind, pos, at, output }))
            expect(payloadOf(bytes)).toEqual(payload)
          }
        },
      ),
    )
  })
})

describe('a payload that is only checked', () => {
  const bytes = fc.oneof(
    anyEngineOutput.map(encodeEngineOutput),
    fc
      .tuple(
        anyEngineOutput.map(encodeEngineOutput),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(3),
      )
      .map(([bytes, hits, cut]) => {
        for (const [at, value] of hits) bytes[at % bytes.length] = value
        return bytes.subarray(0, bytes.length - cut)
      }),
    fc.uint8Array({ maxLength: 60 }).map(random => Buffer.from(random)),
  )

  test('is refused exactly when it can not be decoded, in the same words, and is what it decodes to', () => {
    const outcomes = { decodable: 0, refused: 0 }
    fc.assert(
      fc.property(bytes, payload => {
        const decoded = thrownBy(() => decodeEngineOutput(payload))
        const checked = thrownBy(() => recordKindOf(payload))
        expect((checked as Error | undefined)?.message).toBe((decoded as Error | undefined)?.message)
        if (decoded) return void outcomes.refused++
        outcomes.decodable++
        expect(recordKindOf(payload)).toBe(decodeEngineOutput(payload).reference ? 'Reference' : 'Output')
      }),
      { numRuns: 3000 },
    )
    expect(Math.min(outcomes.decodable, outcomes.refused)).toBeGreaterThan(100)
  })
})

describe('random bytes', () => {
  const ids = [101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 201, 202, 203, 204, 205]
  const framed = fc
    .tuple(fc.constantFrom(...ids), fc.uint8Array({ maxLength: 400 }))
    .map(([id, rest]) => Buffer.from([0, 0, 0, 0, id, ...rest]))
  const loose = fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes))
  // A valid record with a few bytes changed goes deeper than noise does.
  const damaged = fc
    .tuple(
      anyUserRecord.map(encodeUserRecord),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    )
    .map(([bytes, hits]) => {
      for (const [at, value] of hits) bytes[at % bytes.length] = value
      return bytes
    })

  test('decode or are a DecodeError, and nothing else, soon', () => {
    fc.assert(
      fc.property(fc.oneof(framed, loose, damaged), bytes => {
        for (const decode of decoders) {
          const error = thrownBy(() => decode(bytes))
          if (error !== undefined) expect(error).toBeInstanceOf(DecodeError)
        }
      }),
      { numRuns: 5000 },
    )
  })
})

const varint = (value: bigint): number[] => {
  let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  return [...bytes, Number(left)]
}
const nothing = [0, 0, 0, 0]

test.each([
  ['a count of 2^31 items', [...varint(0n), 0, ...varint(2n ** 31n)], '2147483648 items in 0 bytes'],
  ['a negative count of 2^40 items', [...varint(0n), 0, ...varint(-(2n ** 40n)), 0], '1099511627776 items in 0 bytes'],
  ['a count of -2^63 items', [...varint(0n), 0, ...varint(-(2n ** 63n)), 0], 'items in 0 bytes'],
  [
    'a block that is not as long as it says',
    [...varint(0n), 0, 0, 0, ...varint(-1n), ...varint(1n), ...Array(9).fill(0), 0],
    'items take 9 bytes, not 1',
  ],
  ['a long wider than 64 bits', [...Array(9).fill(0x80), 2, ...nothing], 'a long is wider than 64 bits'],
  ['a long that never ends', Array(20).fill(0xff), 'a long is wider than 64 bits'],
  ['a branch that is not there', [0, 4, 0, 0, 0], 'branch 2 of 2'],
  [
    'a symbol that is not there',
    [0, 0, 0, 0, ...varint(1n), ...Array(7).fill(0), ...varint(7n), 0, 0],
    'symbol 7 of 7',
  ],
  [
    'an int of 33 bits',
    [0, 0, 0, 0, ...varint(1n), 0, ...varint(2n ** 31n), ...Array(7).fill(0), 0],
    '2147483648 is not an int of 32 bits',
  ],
  ['text that is not UTF-8', [0, 2, ...varint(1n), 0, 2, 0xff, 0, 0, 0, 0, 0, 0, 0], 'a string is not UTF-8'],
  ['text of negative length', [0, 2, ...varint(1n), 0, 1, 0, 0, 0, 0, 0, 0, 0], '-1 bytes of text'],
])('%s is refused', (_, bytes, why) => {
  const error = thrownBy(() => decodeEngineOutput(Buffer.from(bytes)))
  expect(error).toBeInstanceOf(DecodeError)
  expect((error as Error).message).toContain(why)
})

test.each([
  ['no bytes', [], 'a decimal of 38 digits in 0 bytes'],
  ['17 bytes', [...Array(17).fill(0)], 'in 17 bytes'],
  ['39 digits', [...Buffer.from((10n ** 38n).toString(16), 'hex')], 'has more than 38 digits'],
  [
    '39 digits below zero',
    [...Buffer.from(BigInt.asUintN(128, -(10n ** 38n)).toString(16), 'hex')],
    'more than 38 digits',
  ],
])('a decimal of %s is refused', (_, decimal, why) => {
  const bytes = [0, 0, 0, 0, 205, 0, 0, 0, 0, 0, 2, 0, ...varint(BigInt(decimal.length)), ...decimal, 0]
  expect(() => decodeUserRecord(Buffer.from(bytes))).toThrow(why)
})

test('blocks with their sizes, as other Avro libraries write them, are read', () => {
  const bytes = encodeEngineOutput({ ...trade, orders: [], trades: [], changes: trade.changes.slice(0, 2) })
  const one = (i: number): Buffer =>
    encodeEngineOutput({ ...trade, orders: [], trades: [], changes: trade.changes.slice(i, i + 1) })
  const head = bytes.subarray(0, one(0).indexOf(Buffer.from([0, 0, 0, 2])) + 3)
  const itemOf = (i: number): Buffer => one(i).subarray(head.length + 1, -1)
  const sized = [0, 1].flatMap(i => [...varint(-1n), ...varint(BigInt(itemOf(i).length)), ...itemOf(i)])
  const decoded = decodeEngineOutput(Buffer.from([...head, ...sized, 0]))
  expect(decoded.changes).toEqual(trade.changes.slice(0, 2))
})

describe('the framing', () => {
  const bytes = encodeLogRecord(tick)

  test('is byte 0 and the pinned id', () => {
    expect(bytes.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, 104]))
  })

  test.each([
    ['an unknown id', Buffer.from([0, 0, 0, 0, 99, 0]), 'engine.outputs record: schema id 99 is not one of 101, 102'],
    [
      'an id of the other topic',
      encodeUserRecord(userRecords['UserRedrive'] as UserRecord),
      'schema id 203 is not one of',
    ],
    ['another magic', Buffer.from([1, ...bytes.subarray(1)]), 'do not begin with byte 0'],
    ['nothing', Buffer.alloc(0), '0 bytes that do not begin with byte 0'],
    ['no id', Buffer.from([0, 0, 0, 0]), '4 bytes that do not begin'],
  ])('with %s is refused', (_, framed, why) => {
    const error = thrownBy(() => decodeLogRecord(framed))
    expect(error).toBeInstanceOf(DecodeError)
    expect((error as Error).message).toContain(why)
  })

  test('says where it broke', () => {
    expect(() => decodeLogRecord(bytes.subarray(0, 40))).toThrow(
      /^engine\.outputs record Tick: not a settle\.log\.Tick: at byte 32 of 35, 32 bytes are wanted, 3 are left$/,
    )
  })

  test('a record without engine payload gives none', () => {
    expect(() => payloadOf(bytes)).toThrow('a record of kind Tick holds no engine payload')
    expect(() => payloadOf(Buffer.from([0, 0, 0, 0, 101, 4]))).toThrow(
      'a record of kind Output is cut off after 6 bytes',
    )
    expect(() => payloadOf(Buffer.alloc(2))).toThrow(DecodeError)
  })
})

describe('a value outside its schema', () => {
  const edit = (over: object): LogRecord => ({ ...logRecords['Output'], ...over }) as LogRecord
  const changes = (over: object) => ({
    output: { ...trade, changes: trade.changes.map((each, i) => (i === 3 ? { ...each, ...over } : each)) },
  })
  const at = (over: object) => ({ at: { ...tick.at, ...over } })

  test.each([
    [
      'a long above',
      changes({ available: 2n ** 63n }),
      'output.changes.3.available is 9223372036854775808n, which is no long',
    ],
    [
      'a long below',
      changes({ deltaFrozen: -(2n ** 63n) - 1n }),
      'output.changes.3.deltaFrozen is -9223372036854775809n, which is no long',
    ],
    ['a number for a long', changes({ version: 4 }), 'output.changes.3.version is 4, which is no long'],
    ['an int above', changes({ asset: 2 ** 31 }), 'output.changes.3.asset is 2147483648, which is no int'],
    ['a broken int', changes({ asset: 1.5 }), 'output.changes.3.asset is 1.5, which is no int'],
    ['a symbol', changes({ reason: 'Gift' }), 'output.changes.3.reason is "Gift", which is no enum'],
    ['a missing field', changes({ ref: undefined }), 'output.changes.3.ref is undefined, which is no long'],
    ['a u64 above', at({ seq: 2n ** 64n }), 'at.seq is 18446744073709551616n, which is no u64'],
    ['a u64 below', at({ epoch: -1n }), 'at.epoch is -1n, which is no u64'],
    ['a short chain', at({ chain: Buffer.alloc(31) }), 'at.chain is 31 bytes, which is no fixed'],
    ['a list that is none', { output: { ...trade, trades: null } }, 'output.trades is null, which is no array'],
    ['an object that is none', { at: 7 }, 'at is 7, which is no record'],
  ])('%s is an EncodeError that names it', (_, over, why) => {
    const error = thrownBy(() => encodeLogRecord(edit(over)))
    expect(error).toBeInstanceOf(EncodeError)
    expect((error as Error).message).toBe(`engine.outputs record Output: ${why}`)
  })

  test('a decimal of 39 digits is one too', () => {
    const barrier = {
      ...(userRecords['Barrier'] as UserRecord & { kind: 'Barrier' }),
      flow: [{ asset: 1, amount: 10n ** 38n }],
    }
    expect(() => encodeUserRecord(barrier as unknown as UserRecord)).toThrow(
      `user.outputs record Barrier: flow.0.amount is ${10n ** 38n}n, which is no decimal`,
    )
  })

  test('an engine payload says so, and an unknown kind too', () => {
    expect(() => encodeEngineOutput({ ...trade, time: 2n ** 63n })).toThrow(
      'engine payload: time is 9223372036854775808n',
    )
    expect(() => encodeLogRecord({ ...tick, kind: 'Tock' } as unknown as LogRecord)).toThrow('no schema for kind Tock')
  })
})
