import { describe, expect, it } from 'vitest'
import { classifyLoad, classifyState, type LoadOutcome } from './classify.ts'

const answered = (status: string, message = '', more: Partial<Extract<LoadOutcome, { kind: 'answered' }>> = {}) =>
  ({ kind: 'answered', status, message, existingJobStatus: '', loadedRows: 0, errorUrl: undefined, ...more }) as const

describe('classifyLoad', () => {
  it.each([
    ['Success', answered('Success', 'OK', { loadedRows: 3 }), 'done'],
    ['OK', answered('OK', '', { loadedRows: 3 }), 'done'],
    ['Success of fewer rows', answered('Success', 'OK', { loadedRows: 2 }), 'fatal starrocks-row-count'],
    ['Publish Timeout is committed', answered('Publish Timeout', 'publish timeout'), 'committed'],
    [
      'a label that finished may not be visible yet',
      answered('Label Already Exists', 'Label [x] has already been used.', { existingJobStatus: 'FINISHED' }),
      'committed',
    ],
    [
      'a label that runs',
      answered('Label Already Exists', 'Label [x] has already been used.', { existingJobStatus: 'RUNNING' }),
      'poll',
    ],
    ['a label under a wrong status', answered('Fail', 'Label [x] has already been used.'), 'poll'],
    ['a commit that was lost sight of', answered('Fail', 'Transaction status unknown'), 'poll'],
    ['refused rows', answered('Fail', 'too many filtered rows'), 'refused'],
    ['a key that is too long', answered('Fail', 'primary key size exceed the limit'), 'refused'],
    [
      'no rights',
      answered('Fail', 'Access denied; you need (at least one of) the INSERT privilege(s)'),
      'fatal starrocks-access',
    ],
    ['no login', answered('Fail', 'no valid Basic authorization'), 'fatal starrocks-access'],
    ['no table', answered('Fail', 'unknown table, database=d, table=t'), 'fatal starrocks-schema'],
    ['no column', answered('Fail', "Unknown column 'x' in 't'"), 'fatal starrocks-schema'],
    [
      'not a PRIMARY KEY table',
      answered('Fail', 'Only primary key table support partial update'),
      'fatal starrocks-schema',
    ],
    [
      'too many transactions pass',
      answered('Fail', 'current running txns on db 10001 is 1000, larger than limit 1000'),
      'retry',
    ],
    [
      'too many versions pass',
      answered('Fail', 'Failed to load data into tablet 1, because of too many versions'),
      'retry',
    ],
    ['a full disk passes', answered('Fail', 'No space left on device'), 'retry'],
    [
      'a frontend that restarts passes',
      answered('Fail', 'call frontend service failed, address=fe:9020, reason=connect() failed'),
      'retry',
    ],
    [
      'a body too large for one load',
      answered('Fail', 'The size of this batch exceed the max size [1]  of json type data'),
      'refused',
    ],
    ['anything else was rolled back', answered('Fail', 'close index channel failed'), 'retry'],
    [
      'no Expect',
      answered('FAILED', 'class com.starrocks.common.DdlException: There is no 100-continue header'),
      'fatal starrocks-request',
    ],
    ['a break before the body', { kind: 'failed', reason: 'ECONNREFUSED', body: 'not sent' }, 'retry'],
    ['a break after it', { kind: 'failed', reason: 'ECONNRESET', body: 'sent' }, 'poll'],
    ['a proxy, before the body', { kind: 'unreadable', httpStatus: 502, text: '<html>', body: 'not sent' }, 'retry'],
    ['a proxy, after it', { kind: 'unreadable', httpStatus: 502, text: '<html>', body: 'sent' }, 'poll'],
    [
      'wrong credentials',
      { kind: 'unreadable', httpStatus: 401, text: '', body: 'not sent' },
      'fatal starrocks-access',
    ],
    [
      'a host off the list',
      { kind: 'foreign-host', host: 'evil:1', allowed: ['be:8040'] },
      'fatal starrocks-load-host',
    ],
  ] satisfies [string, LoadOutcome, string][])('%s', (_, outcome, expected) => {
    const verdict = classifyLoad(outcome, 3)
    expect(verdict.kind === 'fatal' ? `fatal ${verdict.code}` : verdict.kind).toBe(expected)
  })
})

describe('classifyState', () => {
  it.each([
    ['VISIBLE', 'done'],
    ['COMMITTED', 'committed'],
    ['PREPARE', 'poll'],
    ['PREPARED', 'poll'],
    ['ABORTED', 'retry'],
    ['UNKNOWN', 'retry'],
    ['something new', 'poll'],
  ])('%s: %s', (state, expected) => expect(classifyState(state, '').kind).toBe(expected))
})
