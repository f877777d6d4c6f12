import { decodeEngineFrame, encodeBridgeFrame } from '../../schemas/frames.ts'
import type { Dialect } from './dialect.ts'

/** Our own, as docs/protocol.md has it. */
export const avroDialect: Dialect = { expansion: 1, decode: decodeEngineFrame, encode: encodeBridgeFrame }
