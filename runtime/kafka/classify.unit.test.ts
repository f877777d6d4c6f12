import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { classify, classifyWrite } from './classify.ts'
import { KafkaFailure, type KafkaFailureKind } from './port.ts'

/** As the client makes them from a broker's answer. */
const answered = (type: string): Error => new kafkajs.KafkaJSProtocolError(Object.assign(new Error(type), { type }))

describe('what the broker answers', () => {
  it.each<[string, KafkaFailureKind]>([
    ['INVALID_PRODUCER_EPOCH', 'fenced'],
    ['PRODUCER_FENCED', 'fenced'],
    ['INVALID_PRODUCER_ID_MAPPING', 'fenced'],
    ['UNKNOWN_MEMBER_ID', 'superseded'],
    ['ILLEGAL_GENERATION', 'superseded'],
    ['REBALANCE_IN_PROGRESS', 'superseded'],
    ['FENCED_INSTANCE_ID', 'superseded'],
    ['OFFSET_OUT_OF_RANGE', 'out-of-range'],
    ['MESSAGE_TOO_LARGE', 'fatal'],
    ['RECORD_LIST_TOO_LARGE', 'fatal'],
    ['TOPIC_AUTHORIZATION_FAILED', 'fatal'],
    ['GROUP_AUTHORIZATION_FAILED', 'fatal'],
    ['CLUSTER_AUTHORIZATION_FAILED', 'fatal'],
    ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'fatal'],
    ['INVALID_TOPIC_EXCEPTION', 'fatal'],
    ['UNSUPPORTED_VERSION', 'fatal'],
    ['SASL_AUTHENTICATION_FAILED', 'fatal'],
    ['UNSUPPORTED_SASL_MECHANISM', 'fatal'],
    ['NOT_LEADER_FOR_PARTITION', 'retriable'],
    ['COORDINATOR_NOT_AVAILABLE', 'retriable'],
    ['NOT_COORDINATOR_FOR_GROUP', 'retriable'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'retriable'],
    ['CONCURRENT_TRANSACTIONS', 'retriable'],
    ['NOT_ENOUGH_REPLICAS', 'retriable'],
  ])('%s is %s', (type, kind) => {
    expect(classify(answered(type), 'do it')).toMatchObject({ name: 'KafkaFailure', kind })
  })
})

describe('what the client itself reports', () => {
  it.each<[Error, KafkaFailureKind]>([
    [new kafkajs.KafkaJSConnectionError('no connection'), 'retriable'],
    [new kafkajs.KafkaJSRequestTimeoutError('too late'), 'retriable'],
    [new kafkajs.KafkaJSOffsetOutOfRange(new Error('x'), { topic: 't', partition: 0 }), 'out-of-range'],
    [Object.assign(new Error('wrong password'), { name: 'KafkaJSSASLAuthenticationError' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'CERT_HAS_EXPIRED' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' }), 'fatal'],
    [new kafkajs.KafkaJSConnectionError('x', { code: 'ECONNREFUSED' }), 'retriable'],
    [new Error('anything else'), 'retriable'],
  ])('%s is %s', (error, kind) => {
    expect(classify(error, 'do it').kind).toBe(kind)
  })

  it('is judged by what lies under it: retries that were exceeded hide the reason', () => {
    const under = answered('INVALID_PRODUCER_EPOCH')
    const exceeded = new kafkajs.KafkaJSNumberOfRetriesExceeded(under, { retryCount: 5, retryTime: 9 })
    const failure = classify(new Error('wrapped', { cause: exceeded }), 'commit')
    expect(failure).toMatchObject({ kind: 'fenced', message: 'commit: wrapped (INVALID_PRODUCER_EPOCH)' })
    expect(failure.cause).toMatchObject({ message: 'wrapped' })
  })

  it('keeps its judgement when it passes twice, and copes with what is no error', () => {
    const failure = new KafkaFailure('fenced', 'judged')
    expect(classify(failure, 'do it')).toBe(failure)
    expect(classify('words', 'do it')).toMatchObject({ kind: 'retriable', message: 'do it: words' })
  })
})

describe('a transaction', () => {
  it.each<[KafkaFailureKind, KafkaFailureKind]>([
    ['fenced', 'fenced'],
    ['fatal', 'fatal'],
    ['superseded', 'unknown'],
    ['out-of-range', 'unknown'],
    ['retriable', 'unknown'],
    ['unknown', 'unknown'],
  ])('that failed %s ended %s: only what is known to have failed is told so', (kind, ended) => {
    expect(classifyWrite(new KafkaFailure(kind, 'x'), 'commit').kind).toBe(ended)
  })

  it('whose answer was lost may have been committed', () => {
    const lost = new kafkajs.KafkaJSConnectionError('the connection was closed')
    expect(classifyWrite(lost, 'commit')).toMatchObject({
      kind: 'unknown',
      message: 'commit: the connection was closed',
      cause: lost,
    })
  })
})
