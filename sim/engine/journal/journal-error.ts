/** The journal can't be used as it is; the message says what is wrong and what to do. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}
