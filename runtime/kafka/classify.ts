import { KafkaFailure, type KafkaFailureKind } from './port.ts'

type ClientError = Error & {
  readonly type?: string
  readonly code?: string | number
  readonly retriable?: boolean
  readonly originalError?: ClientError
  readonly cause?: unknown
}

/** What the client reports, under what it wraps around it: retries exceeded hide the reason. */
const innermost = (error: ClientError): ClientError => {
  const inner = error.originalError ?? (error.cause instanceof Error ? error.cause : undefined)
  return inner ? innermost(inner) : error
}

const fenced = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'])
const superseded = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'])
const hopeless = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_SASL_MECHANISM',
])

/** Of Node's TLS: certificates that do not hold, and what either side says when the other's does not suit it. */
const tlsCode =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|PATH_LENGTH_|HOSTNAME_MISMATCH)/

/** Why a broker refused to talk to us, in the words of whoever can mend it; null when it did not. */
const refusal = (error: ClientError): string | null => {
  if (tlsCode.test(String(error.code ?? '')))
    return `TLS with the broker failed (${error.code}): check KAFKA_TLS, KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and the names in the broker's certificate`
  if (error.name === 'KafkaJSSASLAuthenticationError' || error.type === 'SASL_AUTHENTICATION_FAILED')
    return 'the broker refused our name or password: check KAFKA_SASL, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD'
  return null
}

const kindOf = (error: ClientError): KafkaFailureKind => {
  const type = error.type ?? ''
  // Another writer initialised the same transactional id: ours may write no more.
  if (fenced.has(type)) return 'fenced'
  // The group moved on without us: what we hold belongs to somebody else.
  if (superseded.has(type)) return 'superseded'
  // The log was cut, remade, or is shorter than we believe.
  if (type === 'OFFSET_OUT_OF_RANGE' || error.name === 'KafkaJSOffsetOutOfRange') return 'out-of-range'
  // Asking again changes nothing: somebody must change a setting or a right.
  if (hopeless.has(type)) return 'fatal'
  // A certificate or a password does not get better by being shown again, and a broker may lock out who tries for long.
  if (refusal(error)) return 'fatal'
  // Connections, elections, timeouts, coordinators on the move.
  return 'retriable'
}

/** Whether the broker has answered, if only with an error: then its connection is sound. */
export const wasAnswered = (error: unknown): boolean => innermost(error as ClientError).type !== undefined

const electing = new Set(['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'])

/** Whether the group's coordinator is being elected, or reads the group in: soon there is one to ask. */
export const isElecting = (error: unknown): boolean => electing.has(innermost(error as ClientError).type ?? '')

const failure = (kind: KafkaFailureKind, error: unknown, doing: string, context: string): KafkaFailure =>
  new KafkaFailure(kind, `${doing}: ${error instanceof Error ? error.message : String(error)}${context}`, {
    cause: error,
  })

/** For reads, offsets and administration: nothing was changed by what failed. */
export const classify = (error: unknown, doing: string): KafkaFailure => {
  if (error instanceof KafkaFailure) return error
  const inner = innermost(error as ClientError)
  const wrapped = inner === error ? '' : ` (${inner.message})`
  const refused = refusal(inner)
  return failure(kindOf(inner), error, doing, refused ? `${wrapped}; ${refused}` : wrapped)
}

/** For transactions: whatever is not known to have failed may have been committed. */
export const classifyWrite = (error: unknown, doing: string): KafkaFailure => {
  const found = classify(error, doing)
  switch (found.kind) {
    case 'fenced':
    case 'fatal':
      return found
    case 'superseded':
    case 'out-of-range':
    case 'retriable':
    case 'unknown':
      return failure('unknown', error, doing, '')
  }
}
