import { decodeEngineFrame, encodeBridgeFrame } from '../../schemas/frames.ts'
import type { Dialect } from './dialect.ts'

/** Our own, as docs/protocol.md has it. */
export const avroDialect: Dialect = { decode: decodeEngineFrame, encode: encodeBridgeFrame }
