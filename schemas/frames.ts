import type { EnginePosition, Session } from '../core/events.ts'
import { DecodeError } from './codec.ts'

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
  values.forEach((value, i) => buffer.writeBigUInt64BE(value, 8 * i))
  return buffer
}
const header = ({ epoch, random, seq, chain }: EnginePosition): Buffer =>
  Buffer.concat([u64(epoch, random, seq), chain])
const empty = Buffer.alloc(0)
const noSession: Session = { epoch: 0n, random: 0n }
const kindBytes = new Map<string, Buffer>(
  ['OUT', 'HBT', 'EOS', 'END', 'TRIMMED', 'REPLAY', 'ACK'].map(kind => [kind, Buffer.from(kind, 'ascii')]),
)
const kindFrame = (kind: EngineFrame['kind'] | BridgeFrame['kind']): Buffer => kindBytes.get(kind) as Buffer

/** The three ZeroMQ frames `[kind, header, payload]` of a message from the engine. */
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
      const clock = Buffer.alloc(8)
      clock.writeBigInt64BE(frame.clockUs)
      return clock
    }
    case 'END': {
      const next = frame.next ?? noSession
      return Buffer.concat([Buffer.from([frame.over ? 1 : 0]), u64(next.epoch, next.random)])
    }
    case 'EOS':
    case 'TRIMMED':
      return empty
  }
}

const expect = (ok: boolean, what: string): void => {
  if (!ok) throw new DecodeError(what)
}

/** @throws DecodeError when frames are missing, cut short, too long or of no known kind. */
export const decodeEngineFrame = (frames: readonly Buffer[]): EngineFrame => {
  const [kind, head, payload] = three(frames)
  const name = kind.toString('ascii')
  expect(head.length === headerBytes, `${printable(name)} frame: header of ${head.length} bytes, not ${headerBytes}`)
  const at: EnginePosition = {
    epoch: head.readBigUInt64BE(0),
    random: head.readBigUInt64BE(8),
    seq: head.readBigUInt64BE(16),
    chain: head.subarray(24),
  }
  const length = (bytes: number): void =>
    expect(payload.length === bytes, `${name} frame: payload of ${payload.length} bytes, not ${bytes}`)
  switch (name) {
    case 'OUT':
      expect(at.seq > 0n, 'OUT frame: seq 0; outputs are numbered from 1')
      return { kind: 'OUT', at, payload }
    case 'HBT':
      length(8)
      return { kind: 'HBT', at, clockUs: payload.readBigInt64BE() }
    case 'EOS':
      length(0)
      return { kind: 'EOS', at }
    case 'END': {
      length(17)
      const next = { epoch: payload.readBigUInt64BE(1), random: payload.readBigUInt64BE(9) }
      return { kind: 'END', at, over: payload[0] === 1, next: next.epoch === 0n ? null : next }
    }
    case 'TRIMMED':
      length(0)
      return { kind: 'TRIMMED', at }
    default:
      throw new DecodeError(`engine frame of unknown kind ${printable(name)}`)
  }
}

/** The three ZeroMQ frames `[kind, header, payload]` of a message from the bridge. */
export const encodeBridgeFrame = (frame: BridgeFrame): [Buffer, Buffer, Buffer] => {
  switch (frame.kind) {
    case 'REPLAY': {
      const { epoch, random } = frame.session ?? noSession
      return [kindFrame('REPLAY'), u64(epoch, random, frame.from, frame.to), empty]
    }
    case 'ACK':
      return [
        kindFrame('ACK'),
        u64(frame.session.epoch, frame.session.random, frame.seq),
        Buffer.from(frame.stream, 'utf8'),
      ]
  }
}

/** @throws DecodeError when frames are missing, cut short, too long or of no known kind. */
export const decodeBridgeFrame = (frames: readonly Buffer[]): BridgeFrame => {
  const [kind, head, payload] = three(frames)
  const name = kind.toString('ascii')
  const length = (bytes: number): void =>
    expect(head.length === bytes, `${name} frame: header of ${head.length} bytes, not ${bytes}`)
  switch (name) {
    case 'REPLAY': {
      length(32)
      const session = { epoch: head.readBigUInt64BE(0), random: head.readBigUInt64BE(8) }
      const [from, to] = [head.readBigUInt64BE(16), head.readBigUInt64BE(24)]
      return { kind: 'REPLAY', session: session.epoch === 0n ? null : session, from, to }
    }
    case 'ACK': {
      length(24)
      const session = { epoch: head.readBigUInt64BE(0), random: head.readBigUInt64BE(8) }
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
