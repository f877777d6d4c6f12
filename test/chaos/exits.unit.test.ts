import { expect, it } from 'vitest'
import { judgeExit } from './exits.ts'
import type { Exit } from './supervised.ts'

const exit = (change: Partial<Exit>): Exit => ({
  ...{ name: 'bridge-1', code: null, signal: null, asked: 'nobody', lastError: null, livedMs: 900, hears: 'yes' },
  ...change,
})
const kafkaFailure = { level: 'fatal', msg: 'KafkaFailure: fetch', err: { type: 'KafkaFailure' } }

it.each<readonly [string, Partial<Exit>, string]>([
  ['our SIGKILL', { signal: 'SIGKILL', asked: 'kill' }, 'killed by us'],
  ['our SIGTERM', { code: 0, asked: 'stop' }, '0, stopped as asked'],
  [
    'our SIGTERM during its start',
    { signal: 'SIGTERM', asked: 'stop', hears: 'not yet' },
    'by SIGTERM while it started',
  ],
  [
    'our second SIGTERM after its last word',
    { signal: 'SIGTERM', asked: 'stop', hears: 'no longer' },
    'by SIGTERM while it ended',
  ],
  ['an outage of Kafka', { code: 1, lastError: kafkaFailure }, '1, Kafka out of reach'],
  [
    'a stop while Kafka is down',
    { code: 1, asked: 'stop', lastError: { level: 'error', msg: 'did not drain in time; what is not …' } },
    '1, not drained in time',
  ],
])('%s is fine', (_, change, how) => {
  expect(judgeExit(exit(change))).toEqual({ kind: 'fine', how })
})

it.each<readonly [string, Partial<Exit>]>([
  ['a refusal', { code: 3, lastError: { level: 'fatal', code: 'broken-chain', msg: 'the chain is broken' } }],
  ['a refusal though a stop was asked for', { code: 3, asked: 'stop' }],
  ['wrong settings', { code: 2 }],
  ['an end by itself', { code: 0 }],
  ['an uncaught exception', { code: 1 }],
  ['a bug', { code: 1, lastError: { level: 'fatal', msg: 'x', err: { type: 'TypeError' } } }],
  ['a SIGKILL of somebody else', { signal: 'SIGKILL' }],
  ['a SIGTERM that it did not listen to', { signal: 'SIGTERM', asked: 'stop' }],
  ['a crash', { signal: 'SIGSEGV' }],
])('%s is a violation', (_, change) => {
  expect(judgeExit(exit(change)).kind).toBe('violation')
})

it('has nothing against an outage that it is told of, while it is one', () => {
  const full = exit({ name: 'archive-1', code: 1, lastError: { level: 'fatal', code: 'disk-full', msg: 'full' } })
  expect(judgeExit(full, code => (code === 'disk-full' ? 'the disk full' : null))).toEqual({
    ...{ kind: 'fine', how: '1, the disk full' },
  })
  expect(judgeExit(full, () => null)).toMatchObject({ kind: 'violation', how: 'with 1, unexplained' })
  expect(judgeExit({ ...full, code: 3 }, () => 'the disk full').kind).toBe('violation')
})

it('tells the last words', () => {
  const lastError = { level: 'fatal', code: 'broken-chain', msg: 'the chain is broken' }
  expect(judgeExit(exit({ code: 3, lastError }))).toMatchObject({
    message: 'bridge-1 ended with 3, the contract broken or in doubt: broken-chain: the chain is broken',
  })
})
