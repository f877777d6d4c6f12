import { describe, expect, it } from 'vitest'
import { type TestReport, verdictOf } from './verdict.ts'

type Result = TestReport['testResults'][number]['assertionResults'][number]

const result = (fullName: string, status: Result['status'], failureMessages: string[] = []): Result => ({
  fullName,
  status,
  failureMessages,
})
const reportOf = (assertionResults: readonly Result[], message = ''): TestReport => ({
  testResults: [{ message, assertionResults }],
})

describe('the verdict of a test', () => {
  it('is red when one of that name failed, and says how', () => {
    const results = [result('a queue is full', 'passed'), result('a queue is full by bytes', 'failed', ['no\nat x'])]
    expect(verdictOf(reportOf(results), 'is full')).toEqual({ kind: 'red', why: 'no', said: 'no\nat x' })
  })

  it('is green when another failed', () => {
    const results = [result('a queue is full', 'passed'), result('a queue is slow', 'failed', ['no'])]
    expect(verdictOf(reportOf(results), 'is full')).toEqual({ kind: 'green' })
  })

  it('is none when no test of that name ran', () => {
    const results = [result('a queue is full', 'skipped'), result('a queue is slow', 'failed', ['no'])]
    expect(verdictOf(reportOf(results), 'is full').kind).toBe('none')
    expect(verdictOf({ testResults: [] }, 'is full').kind).toBe('none')
  })

  it('is none when the file could not be loaded, or its hook failed', () => {
    const unloaded = verdictOf(reportOf([], 'x is not exported\nat y'), 'is full')
    expect(unloaded).toEqual({ kind: 'none', why: 'the file did not run: x is not exported' })
    expect(verdictOf(reportOf([result('is full', 'skipped')], 'no server'), 'is full').kind).toBe('none')
  })
})
