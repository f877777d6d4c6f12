import type { Session } from '../../core/events.ts'
import type { BridgeFrame } from '../../schemas/frames.ts'

/** A place in the engine's sequence as the engine tells it. `chain` null: this engine keeps none, the bridge makes it. */
export type ToldPosition = Session & { readonly seq: bigint; readonly chain: Buffer | null }

/** What an engine says, whatever it speaks. `EngineFrame` of schemas/frames.ts is one of these, its chain never null. */
export type DialectFrame =
  /** One output: `payload` is its Avro encoding, which is what the chain runs over. */
  | { readonly kind: 'OUT'; readonly at: ToldPosition; readonly payload: Buffer }
  /** Alive: `at` is the last output sent; `clockUs` is the engine's clock, int64 µs. */
  | { readonly kind: 'HBT'; readonly at: ToldPosition; readonly clockUs: bigint }
  /** This session is over; `at` is its last output. */
  | { readonly kind: 'EOS'; readonly at: ToldPosition }
  /** All that was asked for has been sent; see `EngineFrame`. */
  | { readonly kind: 'END'; readonly at: ToldPosition; readonly over: boolean; readonly next: Session | null }
  /** What was asked for is gone: `at` is the output before the first one kept. */
  | { readonly kind: 'TRIMMED'; readonly at: ToldPosition }

/** The wire format of one kind of engine. */
export interface Dialect {
  /** How many bytes a large output's message may take for one of its Avro: frames so much larger are let in. */
  readonly expansion: number
  /** @throws DecodeError for whatever is not a message of this dialect */
  decode(frames: readonly Buffer[]): DialectFrame
  /** What to send for a request or an acknowledgement. */
  encode(frame: BridgeFrame): readonly Buffer[]
}
