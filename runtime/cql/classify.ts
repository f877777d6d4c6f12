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
  if (error instanceof errors.ResponseError) return classifyResponse(error.code)
  // A connection that broke in the middle of a request rejects with a plain socket error or a DriverError.
  if (isSocketError(error) || error instanceof errors.DriverError) return again('connection')
  return refused('unexpected')
}

const classifyResponse = (code: number): CqlVerdict => {
  switch (code) {
    // Too few replicas are up for the quorum: nothing was written.
    case codes.unavailableException:
      return again('unavailable')
    // Too few replicas answered in time: written by some, perhaps by all.
    case codes.writeTimeout:
    case codes.clientWriteFailure:
      return again('write-timeout')
    case codes.readTimeout:
      return again('read-timeout')
    // A replica failed: an overloaded commit log, or too many tombstones to read. The first passes.
    case codes.writeFailure:
      return again('write-failure')
    case codes.readFailure:
      return again('read-failure')
    // The node sheds load, or is only starting.
    case codes.overloaded:
      return again('overloaded')
    case codes.isBootstrapping:
      return again('bootstrapping')
    // A node's own mishap, such as a stop in the middle of a request.
    case codes.serverError:
    case codes.truncateError:
      return again('server-error')
    // The driver prepares again by itself; twice in a row means that the schema is changing.
    case codes.unprepared:
      return again('unprepared')
    case codes.badCredentials:
    case codes.unauthorized:
      return refused('authentication')
    // What we sent does not fit the schema: the same bytes will never do.
    case codes.syntaxError:
      return refused('syntax')
    case codes.invalid:
      return refused('invalid')
    case codes.configError:
      return refused('config')
    case codes.alreadyExists:
      return refused('already-exists')
    case codes.functionFailure:
    case codes.protocolError:
      return refused('protocol')
    default:
      return refused('unknown-response')
  }
}

const socketCodes = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])
const isSocketError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && socketCodes.has(String(error.code))
