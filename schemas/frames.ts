import { isUtf8 } from 'node:buffer'
import type { EnginePosition, Session } from '../core/events.ts'
import { EncodeError } from './codec.ts'
import { DecodeError } from './decode-error.ts'

/** From the engine, over the live socket and in answer to REPLAY. `docs/protocol.md` shows each byte. */
export type EngineFrame =
  /** One output; `at` names it, with the chain after it. */
  | { readonly kind: 'OUT'; readonly at: EnginePosition; readonly payload: Buffer }
  /** Alive: `at` is the last output sent (its seq + 1 is the next); `clockUs` is the engine's clock, int64 µs. */
  | { readonly kind: 'HBT'; readonly at: EnginePosition; readonly clockUs: bigint }
  /** This session is over; `at` is its last output. */
  | { readonly kind: 'EOS'; readonly at: EnginePosition }
  /** All that was asked for has been sent. `next` is the session after it, when this one is over and a later one began. */
  | { readonly kind: 'END'; readonly at: EnginePosition; readonly over: boolean; readonly next: Session | null }
  /** What was asked for is gone: `at` is the output before the first one kept, with its chain. */
  | { readonly kind: 'TRIMMED'; readonly at: EnginePosition }

/** From the bridge, over the replay socket. */
export type BridgeFrame =
  /** Outputs `from` … `to` of a session, both included; `to` 0: up to the newest. Session null: the oldest one kept. */
  | { readonly kind: 'REPLAY'; readonly session: Session | null; readonly from: bigint; readonly to: bigint }
  /** Durable in Kafka up to and including seq, in the stream of that name. */
  | { readonly kind: 'ACK'; readonly stream: string; readonly session: Session; readonly seq: bigint }

/** Bytes of the header of every engine frame: epoch, random, seq (u64 big-endian each) and chain (32). */
export const headerBytes = 56
const u64 = (...values: readonly bigint[]): Buffer => {
  const buffer = Buffer.alloc(8 * values.length)
  values.forEach((value, i) => {
    if (value !== BigInt.asUintN(64, value)) throw new EncodeError(`${value} is not a u64`)
    buffer.writeBigUInt64BE(value, 8 * i)
  })
  return buffer
}
const header = ({ epoch, random, seq, chain }: EnginePosition): Buffer => {
  begun({ epoch, random })
  if (chain.length !== 32) throw new EncodeError(`a chain of ${chain.length} bytes; SHA-256 has 32`)
  return Buffer.concat([u64(epoch, random, seq), chain])
}
const empty = Buffer.alloc(0)
/** How "no session" is written, which is why epochs begin at 1. */
const noSession: Session = { epoch: 0n, random: 0n }
const begun = (session: Session): Session => {
  if (session.epoch === 0n) throw new EncodeError('a session of epoch 0; epochs begin at 1')
  return session
}
const readSession = (bytes: Buffer, at: number, what: string): Session | null => {
  const session = { epoch: bytes.readBigUInt64BE(at), random: bytes.readBigUInt64BE(at + 8) }
  if (session.epoch > 0n) return session
  expect(session.random === 0n, `${what}: epoch 0 with random ${session.random}; no session is written as two zeros`)
  return null
}
/** A stream's name is a word of topic names, which end at 249 bytes. */
const maxStreamBytes = 200
const kindBytes = new Map<string, Buffer>(
  ['OUT', 'HBT', 'EOS', 'END', 'TRIMMED', 'REPLAY', 'ACK'].map(kind => [kind, Buffer.from(kind, 'ascii')]),
)
const kindFrame = (kind: EngineFrame['kind'] | BridgeFrame['kind']): Buffer => kindBytes.get(kind) as Buffer

/** The three ZeroMQ frames `[kind, header, payload]` of a message from the engine. @throws EncodeError */
export const encodeEngineFrame = (frame: EngineFrame): [Buffer, Buffer, Buffer] => [
  kindFrame(frame.kind),
  header(frame.at),
  enginePayload(frame),
]

const enginePayload = (frame: EngineFrame): Buffer => {
  switch (frame.kind) {
    case 'OUT':
      return frame.payload
    case 'HBT': {
      if (frame.clockUs !== BigInt.asIntN(64, frame.clockUs)) throw new EncodeError(`${frame.clockUs} is not an int64`)
      const clock = Buffer.alloc(8)
      clock.writeBigInt64BE(frame.clockUs)
      return clock
    }
    case 'END': {
      const next = frame.next ? begun(frame.next) : noSession
      return Buffer.concat([Buffer.from([frame.over ? 1 : 0]), u64(next.epoch, next.random)])
    }
    case 'EOS':
    case 'TRIMMED':
      return empty
  }
}

const refused = (what: string): DecodeError => new DecodeError(what)
const expect = (ok: boolean, what: string): void => {
  if (!ok) throw refused(what)
}

const out = kindFrame('OUT')

/** @throws DecodeError when frames are missing, cut short, too long or of no known kind. */
export const decodeEngineFrame = (frames: readonly Buffer[]): EngineFrame => {
  const [kind, head, payload] = three(frames)
  // Nearly every frame is an output: nothing is made for it that it does not need.
  const name = kind.equals(out) ? 'OUT' : kind.toString('latin1')
  if (head.length !== headerBytes)
    throw refused(`${printable(name)} frame: header of ${head.length} bytes, not ${headerBytes}`)
  const at: EnginePosition = {
    epoch: head.readBigUInt64BE(0),
    random: head.readBigUInt64BE(8),
    seq: head.readBigUInt64BE(16),
    chain: head.subarray(24),
  }
  if (at.epoch === 0n) throw refused(`${printable(name)} frame: a session of epoch 0; epochs begin at 1`)
  if (name !== 'OUT') return decodeOther(name, at, payload)
  if (at.seq === 0n) throw refused('OUT frame: seq 0; outputs are numbered from 1')
  return { kind: 'OUT', at, payload }
}

const decodeOther = (name: string, at: EnginePosition, payload: Buffer): EngineFrame => {
  const length = (bytes: number): void =>
    expect(payload.length === bytes, `${name} frame: payload of ${payload.length} bytes, not ${bytes}`)
  switch (name) {
    case 'HBT':
      length(8)
      return { kind: 'HBT', at, clockUs: payload.readBigInt64BE() }
    case 'EOS':
      length(0)
      return { kind: 'EOS', at }
    case 'END': {
      length(17)
      const [over] = payload
      expect(over === 0 || over === 1, `END frame: over is ${over}; it is 0 or 1`)
      const next = readSession(payload, 1, 'END frame')
      expect(over === 1 || !next, 'END frame: a session that is not over has none after it')
      return { kind: 'END', at, over: over === 1, next }
    }
    case 'TRIMMED':
      length(0)
      return { kind: 'TRIMMED', at }
    default:
      throw refused(`engine frame of unknown kind ${printable(name)}`)
  }
}

/** The three ZeroMQ frames `[kind, header, payload]` of a message from the bridge. @throws EncodeError */
export const encodeBridgeFrame = (frame: BridgeFrame): [Buffer, Buffer, Buffer] => {
  switch (frame.kind) {
    case 'REPLAY': {
      const { epoch, random } = frame.session ? begun(frame.session) : noSession
      return [kindFrame('REPLAY'), u64(epoch, random, frame.from, frame.to), empty]
    }
    case 'ACK': {
      const { epoch, random } = begun(frame.session)
      const stream = Buffer.from(frame.stream, 'utf8')
      if (stream.length === 0 || stream.length > maxStreamBytes)
        throw new EncodeError(`a stream's name of ${stream.length} bytes; it has 1 to ${maxStreamBytes}`)
      return [kindFrame('ACK'), u64(epoch, random, frame.seq), stream]
    }
  }
}

/** @throws DecodeError when frames are missing, cut short, too long or of no known kind. */
export const decodeBridgeFrame = (frames: readonly Buffer[]): BridgeFrame => {
  const [kind, head, payload] = three(frames)
  const name = kind.toString('latin1')
  const length = (bytes: number): void =>
    expect(head.length === bytes, `${name} frame: header of ${head.length} bytes, not ${bytes}`)
  switch (name) {
    case 'REPLAY': {
      length(32)
      expect(payload.length === 0, `REPLAY frame: payload of ${payload.length} bytes, not 0`)
      const [from, to] = [head.readBigUInt64BE(16), head.readBigUInt64BE(24)]
      return { kind: 'REPLAY', session: readSession(head, 0, 'REPLAY frame'), from, to }
    }
    case 'ACK': {
      length(24)
      const session = readSession(head, 0, 'ACK frame')
      if (!session) throw new DecodeError('ACK frame: a session of epoch 0; epochs begin at 1')
      const named = payload.length > 0 && payload.length <= maxStreamBytes && isUtf8(payload)
      expect(named, `ACK frame: a stream's name is 1 to ${maxStreamBytes} bytes of UTF-8, not ${payload.length} bytes`)
      return { kind: 'ACK', stream: payload.toString('utf8'), session, seq: head.readBigUInt64BE(16) }
    }
    default:
      throw new DecodeError(`bridge frame of unknown kind ${printable(name)}`)
  }
}

const three = (frames: readonly Buffer[]): readonly [Buffer, Buffer, Buffer] => {
  const [kind, head, payload] = frames
  if (!kind || !head || !payload || frames.length !== 3)
    throw new DecodeError(`message of ${frames.length} frames, not the three [kind, header, payload]`)
  return [kind, head, payload]
}

const printable = (text: string): string => JSON.stringify(text.slice(0, 16))
