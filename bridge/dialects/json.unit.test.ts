import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyEngineOutput, anyLong, anySession, anyU64 } from '../../schemas/arbitrary-records.ts'
import { DecodeError, decodeEngineOutput, encodeEngineOutput } from '../../schemas/codec.ts'
import type { DialectFrame } from './dialect.ts'
import { jsonDialect } from './json.ts'

/** JSON of anything, its integers in full: as numbers, or as strings of digits. */
const json = (value: unknown, integers: 'numbers' | 'strings' = 'numbers'): string => {
  if (typeof value === 'bigint' || typeof value === 'number') return integers === 'numbers' ? `${value}` : `"${value}"`
  if (Array.isArray(value)) return `[${value.map(each => json(each, integers)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([name, each]) => `${JSON.stringify(name)}:${json(each, integers)}`)
    .join(', ')}}`
}
const message = (kind: string, header: string, payload = ''): Buffer[] =>
  [kind, header, payload].map(f => Buffer.from(f))
const at = '{"epoch":1,"random":2,"seq":3}'
const chain = 'ab'.repeat(32)
const output = {
  time: 1n,
  reference: null,
  orders: [],
  trades: [],
  changes: [
    {
      ...{ user: 1n, asset: 2, deltaAvailable: 3n, deltaFrozen: 0n, available: 3n, frozen: 0n, version: 1n },
      ...{ reason: 'Deposit', ref: 5n },
    },
  ],
}
const refusal = (frames: readonly Buffer[]): string => {
  try {
    jsonDialect.decode(frames)
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
  return 'taken'
}
const ofPayload = (payload: string): string => refusal(message('OUT', at, payload))
const ofOutput = (over: object): string => ofPayload(json({ ...output, ...over }))
const ofChange = (over: object): string => ofOutput({ changes: [{ ...output.changes[0], ...over }] })
const raw = (text: string, field: string): string =>
  ofPayload(json(output).replace(new RegExp(`"${field}":[^,}]+`), `"${field}":${text}`))

describe('frames of the JSON dialect', () => {
  test('any output comes through exact, its integers as numbers or as strings', () => {
    fc.assert(
      fc.property(anyEngineOutput, fc.constantFrom('numbers', 'strings'), (any, integers) => {
        const frame = jsonDialect.decode(message('OUT', at, json(any, integers))) as Extract<
          DialectFrame,
          { kind: 'OUT' }
        >
        expect(frame.payload.equals(encodeEngineOutput(any))).toBe(true)
        expect(decodeEngineOutput(frame.payload)).toEqual(any)
      }),
    )
  })

  test('any place and clock come through exact', () => {
    fc.assert(
      fc.property(
        anySession,
        anyU64,
        anyLong,
        fc.constantFrom('numbers', 'strings'),
        (session, seq, clockUs, integers) => {
          const header = json({ ...session, seq }, integers)
          expect(jsonDialect.decode(message('HBT', header, json({ clock: clockUs }, integers)))).toEqual({
            kind: 'HBT',
            at: { ...session, seq, chain: null },
            clockUs,
          })
          const end = json({ over: true, next: session }, integers)
          expect(jsonDialect.decode(message('END', header, end))).toMatchObject({ over: true, next: session })
        },
      ),
    )
  })

  test('an integer beyond what a Number holds comes through exact', () => {
    const seq = 2n ** 53n + 1n
    expect(jsonDialect.decode(message('EOS', `{"epoch":1,"random":2,"seq":${seq}}`)).at.seq).toBe(seq)
  })

  test('the chain is told or left out', () => {
    const header = `{"epoch":1,"random":2,"seq":3,"chain":"${chain}"}`
    expect(jsonDialect.decode(message('EOS', header)).at.chain).toEqual(Buffer.from(chain, 'hex'))
    expect(jsonDialect.decode(message('TRIMMED', at)).at.chain).toBeNull()
  })

  test('requests and acknowledgements are JSON too', () => {
    const session = { epoch: 1n, random: 2n ** 64n - 1n }
    const written = [
      jsonDialect.encode({ kind: 'REPLAY', session, from: 1n, to: 2n ** 63n }),
      jsonDialect.encode({ kind: 'REPLAY', session: null, from: 1n, to: 0n }),
      jsonDialect.encode({ kind: 'ACK', stream: 'main', session, seq: 9n }),
    ]
    expect(written.map(frames => frames.map(String))).toEqual([
      ['REPLAY', '{"session":{"epoch":1,"random":18446744073709551615},"from":1,"to":9223372036854775808}', ''],
      ['REPLAY', '{"session":null,"from":1,"to":0}', ''],
      ['ACK', '{"stream":"main","session":{"epoch":1,"random":18446744073709551615},"seq":9}', ''],
    ])
  })
})

describe('what is no message of the JSON dialect is refused by name', () => {
  test.for([
    ['1.0', 'version is 1.0, not an integer from'],
    ['1e3', 'version is 1e3, not'],
    ['-0', 'version is -0, not'],
    ['"-0"', 'version is "-0", not'],
    ['"01"', 'version is "01", not'],
    ['"1 "', 'version is "1 ", not'],
    ['""', 'version is "", not'],
    ['9223372036854775808', 'version is 9223372036854775808, not'],
    ['-9223372036854775809', 'version is -9223372036854775809, not'],
    ['1000000000000000000000000', 'version is 1000000000000000000000000, not'],
    ['null', 'version is null, not'],
    ['{}', 'version is an object, not'],
    ['[1]', 'version is an array, not'],
  ] as const)('a long that is %s', ([text, said]) => {
    expect(raw(text, 'version')).toContain(`JSON OUT payload.changes[0].${said}`)
  })

  test.for([
    ['an int of 33 bits', () => ofChange({ asset: 2n ** 31n }), 'changes[0].asset is 2147483648, not an integer from'],
    ['an enum’s number', () => ofChange({ reason: 0 }), 'changes[0].reason is 0, not one of Deposit, Withdrawal'],
    ['an unknown reason', () => ofChange({ reason: 'Gift' }), 'changes[0].reason is "Gift", not one of'],
    ['an unknown field', () => ofChange({ note: 1n }), 'changes[0].note is no field of ours'],
    ['a field of every object', () => ofOutput({ toString: 1n }), 'payload.toString is no field of ours'],
    ['an unknown __proto__', () => raw('1,"__proto__":{}', 'version'), 'changes[0].__proto__ is no field of ours'],
    ['a missing field', () => ofPayload('{"time":1}'), 'payload.reference is missing'],
    ['a missing reference', () => ofOutput({ reference: {} }), 'payload.reference.assets is missing'],
    ['a reference that is false', () => ofOutput({ reference: false }), 'payload.reference is false, not an object'],
    ['no array', () => ofOutput({ trades: null }), 'payload.trades is null, not an array'],
    ['a field twice', () => raw('1,"version":1', 'version'), '"version" at byte 165 stands twice in one object'],
    [
      'an escaped name',
      () => raw('1,"versio\\u006e":1', 'version'),
      '"versio\\u006e" at byte 165 is written with an escape',
    ],
    [
      'half a surrogate pair',
      () => ofOutput({ reference: { assets: [{ asset: 1n, name: '\ud800', decimals: 1n }], symbols: [], house: 1n } }),
      'reference.assets[0].name is "\\ud800", not a string of Unicode',
    ],
    ['an array', () => ofPayload('[]'), 'payload is an array, not an object'],
    ['nothing', () => ofPayload(''), 'payload: not JSON'],
    ['cut off', () => ofPayload(json(output).slice(0, -1)), 'payload: not JSON'],
    ['something behind it', () => ofPayload(`${json(output)}{}`), 'payload: not JSON'],
    ['deep', () => ofPayload('['.repeat(1_000_000)), 'payload: nests deeper than 4 at byte 4'],
    ['not UTF-8', () => refusal([Buffer.from('OUT'), Buffer.from(at), Buffer.from([0xff])]), 'payload: not UTF-8'],
    ['two frames', () => refusal(message('EOS', at).slice(0, 2)), 'message of 2 frames'],
    ['four frames', () => refusal([...message('EOS', at), Buffer.alloc(0)]), 'message of 4 frames'],
    ['an unknown kind', () => refusal(message('out', at)), 'unknown kind "out"'],
    ['seq 0', () => refusal(message('OUT', '{"epoch":1,"random":2,"seq":0}', json(output))), 'OUT header.seq is 0'],
    ['epoch 0', () => refusal(message('EOS', '{"epoch":0,"random":2,"seq":3}')), 'EOS header.epoch is 0, not'],
    [
      'a seq of 65 bits',
      () => refusal(message('EOS', `{"epoch":1,"random":2,"seq":${2n ** 64n}}`)),
      'header.seq is 18446744073709551616',
    ],
    [
      'a short chain',
      () => refusal(message('EOS', '{"epoch":1,"random":2,"seq":3,"chain":"ab"}')),
      'header.chain is "ab", not 64',
    ],
    [
      'a null chain',
      () => refusal(message('EOS', '{"epoch":1,"random":2,"seq":3,"chain":null}')),
      'header.chain is null, not 64',
    ],
    ['EOS with a payload', () => refusal(message('EOS', at, '{}')), 'EOS payload: 2 bytes, not 0'],
    [
      'END of a running session',
      () => refusal(message('END', at, '{"over":false,"next":{"epoch":2,"random":1}}')),
      'END payload.next',
    ],
    [
      'END without over',
      () => refusal(message('END', at, '{"over":1,"next":null}')),
      'END payload.over is 1, not true or false',
    ],
    [
      'a clock that is no number',
      () => refusal(message('HBT', at, '{"clock":"noon"}')),
      'HBT payload.clock is "noon", not',
    ],
  ] as const)('%s', ([, said, wanted]) => {
    expect(said()).toContain(wanted)
  })

  test('whatever is put into it, nothing but DecodeError comes out', () => {
    const good = Buffer.from(json(output))
    const bytes = fc.uint8Array({ maxLength: 60 }).map(found => Buffer.from(found))
    const bent = fc
      .tuple(fc.nat(good.length), fc.nat(good.length), bytes)
      .map(([from, to, middle]) => Buffer.concat([good.subarray(0, from), middle, good.subarray(to)]))
    const frame = fc.oneof(
      bytes,
      bent,
      fc.json().map(text => Buffer.from(text)),
      fc.constant(Buffer.from(at)),
    )
    const kind = fc.constantFrom('OUT', 'HBT', 'EOS', 'END', 'TRIMMED', '').map(name => Buffer.from(name))
    fc.assert(
      fc.property(kind, frame, frame, (...frames) => void refusal(frames)),
      { numRuns: 1000 },
    )
  })

  test('a megabyte of anything takes no longer than its length', () => {
    const texts = ['"'.repeat(1 << 20), `"${'\\'.repeat(1 << 20)}"`, '9'.repeat(1 << 20), ':'.repeat(1 << 20)]
    const startMs = performance.now()
    for (const text of texts) expect(ofPayload(text)).toContain('JSON OUT payload')
    expect(performance.now() - startMs).toBeLessThan(10_000)
  })
})
