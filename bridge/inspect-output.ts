import { DecodeError, recordKindOf } from '../schemas/codec.ts'

/** What a payload is: a record of the log, or nothing that may stand there. */
type Inspection =
  | { readonly kind: 'Output' | 'Reference' }
  | { readonly kind: 'refused'; readonly code: 'oversized-output' | 'undecodable-output'; readonly reason: string }

/** Pure: what the Avro payload of an output is. */
export type Inspect = (payload: Buffer) => Inspection

/** `maxOutputBytes`: the setting MAX_OUTPUT_BYTES. */
export const inspectOutput =
  (maxOutputBytes: number): Inspect =>
  payload => {
    if (payload.length > maxOutputBytes)
      return {
        kind: 'refused',
        code: 'oversized-output',
        reason: `${payload.length} bytes are over MAX_OUTPUT_BYTES=${maxOutputBytes}`,
      }
    try {
      return { kind: recordKindOf(payload) }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return { kind: 'refused', code: 'undecodable-output', reason: error.message }
    }
  }
