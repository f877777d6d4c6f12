import type { EnginePosition, Session } from '../../../core/events.ts'
import { DecodeError, decodeEngineOutput } from '../../../schemas/codec.ts'
import { type BridgeFrame, decodeBridgeFrame, type EngineFrame, encodeEngineFrame } from '../../../schemas/frames.ts'

/** What the engine's frames look like on its sockets. */
export interface Wire {
  encode(frame: EngineFrame): Buffer[]
  /** @throws DecodeError */
  decode(frames: readonly Buffer[]): BridgeFrame
}

export const avroWire: Wire = { encode: encodeEngineFrame, decode: decodeBridgeFrame }

/** A raw number in JSON text; TypeScript's library knows it from a later year than our target. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (this: void, text: string) => unknown }
const toJson = (value: unknown): Buffer =>
  Buffer.from(
    JSON.stringify(value, (_name, inner: unknown) => (typeof inner === 'bigint' ? rawJSON(`${inner}`) : inner)),
  )

type Revive = (name: string, value: unknown, context: { readonly source?: string }) => unknown
const parse = JSON.parse as (text: string, revive: Revive) => unknown
const exact: Revive = (_name, value, { source = '' }) =>
  typeof value === 'number' && /^\d{1,20}$/.test(source) ? BigInt(source) : value

const u64 = (value: unknown, name: string): bigint => {
  if (typeof value === 'bigint' && value < 2n ** 64n) return value
  throw new DecodeError(`${name} is ${String(value)}, not a u64`)
}
const fields = (value: unknown, name: string): Record<string, unknown> => {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  throw new DecodeError(`${name} is no object`)
}
const session = (value: unknown): Session => {
  const { epoch, random } = fields(value, 'session')
  const found = { epoch: u64(epoch, 'epoch'), random: u64(random, 'random') }
  if (found.epoch === 0n) throw new DecodeError('a session of epoch 0; epochs begin at 1')
  return found
}

const decodeJson = (frames: readonly Buffer[]): BridgeFrame => {
  const [kind, header, payload] = frames.map(String)
  if (frames.length !== 3 || header === undefined || payload !== '')
    throw new DecodeError(`${frames.length} frames, or a payload, in a message of the bridge`)
  const said = fields(parsed(header), 'header')
  if (kind === 'REPLAY')
    return {
      kind,
      session: said['session'] === null ? null : session(said['session']),
      from: u64(said['from'], 'from'),
      to: u64(said['to'], 'to'),
    }
  if (kind === 'ACK' && typeof said['stream'] === 'string')
    return { kind, stream: said['stream'], session: session(said['session']), seq: u64(said['seq'], 'seq') }
  throw new DecodeError(`unknown kind ${JSON.stringify(kind?.slice(0, 16))}`)
}
const parsed = (text: string): unknown => {
  try {
    return parse(text, exact)
  } catch (cause) {
    throw new DecodeError((cause as Error).message, { cause })
  }
}

const payloadOf = (frame: EngineFrame): Buffer => {
  switch (frame.kind) {
    case 'OUT':
      return toJson(decodeEngineOutput(frame.payload))
    case 'HBT':
      return toJson({ clock: frame.clockUs })
    case 'END':
      return toJson({ over: frame.over, next: frame.next })
    case 'EOS':
    case 'TRIMMED':
      return Buffer.alloc(0)
  }
}

/** The JSON dialect of docs/dialects.md. Without its chain the engine is one that keeps none. */
export const jsonWire = (chain: 'sent' | 'unsent'): Wire => {
  const headerOf = ({ epoch, random, seq, chain: after }: EnginePosition): Buffer =>
    toJson({ epoch, random, seq, ...(chain === 'sent' ? { chain: after.toString('hex') } : {}) })
  return {
    encode: frame => [Buffer.from(frame.kind), headerOf(frame.at), payloadOf(frame)],
    decode: decodeJson,
  }
}
