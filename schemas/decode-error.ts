/** Bytes that are not what they should be: which schema was expected, and what was found. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly code = 'undecodable'
}
