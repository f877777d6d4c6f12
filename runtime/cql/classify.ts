import { errors, types } from 'cassandra-driver'

/** What to do about an error of the driver: send the same bytes again, or give up. `code` is for metric and log. */
export type CqlVerdict = { readonly kind: 'again' | 'refused'; readonly code: string }

const again = (code: string): CqlVerdict => ({ kind: 'again', code })
const refused = (code: string): CqlVerdict => ({ kind: 'refused', code })
const codes = types.responseErrorCodes

/** Every write carries its own timestamp and every statement is idempotent, so an unknown outcome is sent again. */
export const classifyCql = (error: unknown): CqlVerdict => {
  // No node took the request; the nodes' own errors say why. One that all nodes would repeat decides.
  if (error instanceof errors.NoHostAvailableError) {
    const inner = Object.values(error.innerErrors as Readonly<Record<string, unknown>>).map(classifyCql)
    return inner.find(verdict => verdict.kind === 'refused') ?? again('no-node')
  }
  // The node did not answer in time: it may have written.
  if (error instanceof errors.OperationTimedOutError) return again('timeout')
  // All stream ids of the connections are taken: the semaphore allows more than the pool carries for a moment.
  if (error instanceof errors.BusyConnectionError) return again('busy')
  if (error instanceof errors.AuthenticationError) return refused('authentication')
  if (error instanceof errors.ArgumentError || error instanceof TypeError || error instanceof RangeError)
    return refused('argument')
  if (error instanceof errors.ResponseError) return responses.get(error.code) ?? refused('unknown-response')
  // A connection that broke in the middle of a request rejects with a plain socket error or a DriverError.
  if (isSocketError(error) || error instanceof errors.DriverError) return again('connection')
  // A pool that lost its last connection between the choice of the node and the request says so by a plain Error.
  if (error instanceof Error && poolWords.has(error.message)) return again('connection')
  return refused('unexpected')
}

/** The server's own errors. */
const responses: ReadonlyMap<number, CqlVerdict> = new Map([
  // Too few replicas are up for the quorum: nothing was written.
  [codes.unavailableException, again('unavailable')],
  // Too few replicas answered in time: written by some, perhaps by all.
  [codes.writeTimeout, again('write-timeout')],
  [codes.clientWriteFailure, again('write-timeout')],
  [codes.readTimeout, again('read-timeout')],
  // A replica failed: an overloaded commit log, or too many tombstones to read. The first passes.
  [codes.writeFailure, again('write-failure')],
  [codes.readFailure, again('read-failure')],
  // The node sheds load, or is only starting.
  [codes.overloaded, again('overloaded')],
  [codes.isBootstrapping, again('bootstrapping')],
  // A node's own mishap, such as a stop in the middle of a request.
  [codes.serverError, again('server-error')],
  [codes.truncateError, again('server-error')],
  // The driver prepares again by itself; twice in a row means that the schema is changing.
  [codes.unprepared, again('unprepared')],
  [codes.badCredentials, refused('authentication')],
  [codes.unauthorized, refused('authentication')],
  // What we sent does not fit the schema: the same bytes never will.
  [codes.syntaxError, refused('syntax')],
  [codes.invalid, refused('invalid')],
  [codes.configError, refused('config')],
  [codes.alreadyExists, refused('already-exists')],
  [codes.functionFailure, refused('protocol')],
  [codes.protocolError, refused('protocol')],
])

/** What cassandra-driver's host-connection-pool.js throws; it has no class of its own. */
const poolWords = new Set(['No connection available', 'Connection closed'])

const socketCodes = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])
const isSocketError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && socketCodes.has(String(error.code))
