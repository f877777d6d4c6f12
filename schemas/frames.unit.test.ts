import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyLong, anyPosition, anySession, anyU64 } from './arbitrary-records.ts'
import { DecodeError, EncodeError } from './codec.ts'
import {
  type BridgeFrame,
  decodeBridgeFrame,
  decodeEngineFrame,
  type EngineFrame,
  encodeBridgeFrame,
  encodeEngineFrame,
  headerBytes,
} from './frames.ts'
import { bridgeFrames, engineFrames } from './golden-examples.ts'

const payload = fc.uint8Array({ maxLength: 50 }).map(bytes => Buffer.from(bytes))
const at = anyPosition.filter(({ epoch, seq }) => epoch > 0n && seq > 0n)
const anyEngineFrame: fc.Arbitrary<EngineFrame> = fc.oneof(
  fc.record({ kind: fc.constant('OUT' as const), at, payload }),
  fc.record({ kind: fc.constant('HBT' as const), at, clockUs: anyLong }),
  fc.record({ kind: fc.constantFrom('EOS' as const, 'TRIMMED' as const), at }),
  fc.record({ kind: fc.constant('END' as const), at, over: fc.constant(true), next: fc.option(anySession) }),
  fc.record({ kind: fc.constant('END' as const), at, over: fc.constant(false), next: fc.constant(null) }),
)
const anyBridgeFrame: fc.Arbitrary<BridgeFrame> = fc.oneof(
  fc.record({ kind: fc.constant('REPLAY' as const), session: fc.option(anySession), from: anyU64, to: anyU64 }),
  fc.record({
    kind: fc.constant('ACK' as const),
    stream: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    session: anySession,
    seq: anyU64,
  }),
)

test('any frame comes back as it was', () => {
  fc.assert(
    fc.property(anyEngineFrame, anyBridgeFrame, (engine, bridge) => {
      expect(decodeEngineFrame(encodeEngineFrame(engine))).toEqual(engine)
      expect(decodeBridgeFrame(encodeBridgeFrame(bridge))).toEqual(bridge)
    }),
  )
})

test('random frames decode or are a DecodeError, and nothing else', () => {
  const kind = fc.oneof(
    fc.constantFrom('OUT', 'HBT', 'EOS', 'END', 'TRIMMED', 'REPLAY', 'ACK').map(name => Buffer.from(name)),
    payload,
  )
  const head = fc.oneof(
    ...[24, 32, headerBytes].map(length =>
      fc.uint8Array({ minLength: length, maxLength: length }).map(bytes => Buffer.from(bytes)),
    ),
    payload,
  )
  const body = fc.oneof(
    ...[0, 8, 17].map(length =>
      fc.uint8Array({ minLength: length, maxLength: length }).map(bytes => Buffer.from(bytes)),
    ),
    payload,
  )
  const frames = fc.oneof(fc.tuple(kind, head, body), fc.array(payload, { maxLength: 5 }))
  fc.assert(
    fc.property(frames, message => {
      for (const decode of [decodeEngineFrame, decodeBridgeFrame])
        try {
          decode(message)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
    }),
    { numRuns: 3000 },
  )
})

const engineBytes = (name: string): [Buffer, Buffer, Buffer] => encodeEngineFrame(engineFrames[name] as EngineFrame)
const bridgeBytes = (name: string): [Buffer, Buffer, Buffer] => encodeBridgeFrame(bridgeFrames[name] as BridgeFrame)

describe('a frame that is none', () => {
  const [kind, head, body] = engineBytes('OUT')
  const [, replayHead] = bridgeBytes('REPLAY')
  const [ack, ackHead, stream] = bridgeBytes('ACK')
  const edited = (bytes: Buffer, at: number, ...values: number[]): Buffer => {
    const copy = Buffer.from(bytes)
    for (const [i, value] of values.entries()) copy[at + i] = value
    return copy
  }
  const zeros = (length: number): number[] => Array<number>(length).fill(0)

  test.each([
    ['two frames', [kind, head], 'message of 2 frames, not the three'],
    ['four frames', [kind, head, body, body], 'message of 4 frames'],
    ['a short header', [kind, head.subarray(1), body], 'OUT" frame: header of 55 bytes, not 56'],
    ['an unknown kind', [Buffer.from('OUCH'), head, body], 'engine frame of unknown kind "OUCH"'],
    ['a kind whose high bits are set', [Buffer.from([0xcf, 0xd5, 0xd4]), head, body], 'engine frame of unknown kind'],
    ['output 0', [kind, edited(head, 16, ...zeros(8)), body], 'OUT frame: seq 0; outputs are numbered from 1'],
    ['epoch 0', [kind, edited(head, 0, ...zeros(8)), body], 'a session of epoch 0; epochs begin at 1'],
    ['a heartbeat without clock', [Buffer.from('HBT'), head, Buffer.alloc(0)], 'HBT frame: payload of 0 bytes, not 8'],
    ['an EOS with more', [Buffer.from('EOS'), head, body], 'EOS frame: payload of'],
    ['a TRIMMED with more', [Buffer.from('TRIMMED'), head, body], 'TRIMMED frame: payload of'],
    ['a short END', [Buffer.from('END'), head, Buffer.alloc(16)], 'END frame: payload of 16 bytes, not 17'],
    [
      'an END that is half over',
      [Buffer.from('END'), head, Buffer.from([2, ...zeros(16)])],
      'END frame: over is 2; it is 0 or 1',
    ],
    [
      'an END that goes on and is followed',
      [Buffer.from('END'), head, Buffer.from([0, ...zeros(7), 1, ...zeros(8)])],
      'a session that is not over has none after it',
    ],
    [
      'an END followed by half a session',
      [Buffer.from('END'), head, Buffer.from([1, ...zeros(15), 1])],
      'epoch 0 with random 1',
    ],
    ['a bridge frame', [ack, ackHead, stream], 'ACK" frame: header of 24 bytes, not 56'],
  ])('from the engine: %s', (_, frames, why) => {
    expect(() => decodeEngineFrame(frames)).toThrow(why)
    expect(() => decodeEngineFrame(frames)).toThrow(DecodeError)
  })

  const replay = Buffer.from('REPLAY')
  test.each([
    ['a short REPLAY', [replay, replayHead.subarray(1), Buffer.alloc(0)], 'REPLAY frame: header of 31 bytes, not 32'],
    ['a REPLAY with more', [replay, replayHead, stream], 'REPLAY frame: payload of 4 bytes, not 0'],
    [
      'a REPLAY of half a session',
      [replay, edited(replayHead, 0, ...zeros(8)), Buffer.alloc(0)],
      'epoch 0 with random 1234605616436508552',
    ],
    ['a short ACK', [ack, ackHead.subarray(1), stream], 'ACK frame: header of 23 bytes, not 24'],
    [
      'an ACK without stream',
      [ack, ackHead, Buffer.alloc(0)],
      "a stream's name is 1 to 200 bytes of UTF-8, not 0 bytes",
    ],
    ['an ACK of a long stream', [ack, ackHead, Buffer.alloc(201, 65)], 'not 201 bytes'],
    ['an ACK of no text', [ack, ackHead, Buffer.from([0xff])], 'of UTF-8'],
    ['an ACK of no session', [ack, edited(ackHead, 0, ...zeros(16)), stream], 'ACK frame: a session of epoch 0'],
    ['an engine frame', [kind, head, body], 'bridge frame of unknown kind "OUT"'],
  ])('from the bridge: %s', (_, frames, why) => {
    expect(() => decodeBridgeFrame(frames)).toThrow(why)
    expect(() => decodeBridgeFrame(frames)).toThrow(DecodeError)
  })
})

describe('what can not be sent', () => {
  const out = engineFrames['OUT'] as EngineFrame & { kind: 'OUT' }
  const session = { epoch: 1n, random: 2n }

  test.each([
    [
      'a seq above u64',
      () => encodeEngineFrame({ ...out, at: { ...out.at, seq: 2n ** 64n } }),
      '18446744073709551616 is not a u64',
    ],
    ['a seq below zero', () => encodeEngineFrame({ ...out, at: { ...out.at, seq: -1n } }), '-1 is not a u64'],
    ['a session of epoch 0', () => encodeEngineFrame({ ...out, at: { ...out.at, epoch: 0n } }), 'epochs begin at 1'],
    [
      'a short chain',
      () => encodeEngineFrame({ ...out, at: { ...out.at, chain: Buffer.alloc(31) } }),
      'a chain of 31 bytes',
    ],
    [
      'a clock above int64',
      () => encodeEngineFrame({ kind: 'HBT', at: out.at, clockUs: 2n ** 63n }),
      'is not an int64',
    ],
    [
      'a next session of epoch 0',
      () => encodeEngineFrame({ kind: 'END', at: out.at, over: true, next: { epoch: 0n, random: 1n } }),
      'epochs begin at 1',
    ],
    [
      'an ACK without stream',
      () => encodeBridgeFrame({ kind: 'ACK', stream: '', session, seq: 1n }),
      "a stream's name of 0 bytes",
    ],
    [
      'a REPLAY of epoch 0',
      () => encodeBridgeFrame({ kind: 'REPLAY', session: { epoch: 0n, random: 1n }, from: 1n, to: 2n }),
      'epochs begin at 1',
    ],
    [
      'a REPLAY to below zero',
      () => encodeBridgeFrame({ kind: 'REPLAY', session, from: 1n, to: -1n }),
      '-1 is not a u64',
    ],
  ])('%s is an EncodeError', (_, encode, why) => {
    expect(encode).toThrow(why)
    expect(encode).toThrow(EncodeError)
  })
})
