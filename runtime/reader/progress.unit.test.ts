import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pos } from '../../core/ids.ts'
import { fromCommitted, toCommitted } from './progress.ts'

const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })

describe('a reader’s progress', () => {
  it('comes back from Kafka as it went', () => {
    const note = fc.option(fc.stringMatching(/^[^\s]{1,64}$/), { nil: undefined })
    fc.assert(
      fc.property(int64, int64, int64, note, (offset, n, at, text) => {
        const progress = { offset, n, pos: pos(at), ...(text === undefined ? {} : { note: text }) }
        expect(fromCommitted(toCommitted(progress))).toEqual(progress)
      }),
    )
  })

  it('is written as n and pos, which other tools commit and read too', () => {
    expect(toCommitted({ offset: 8n, n: 7n, pos: pos(6n) })).toEqual({ offset: 8n, metadata: 'n=7 pos=6' })
    expect(toCommitted({ offset: 8n, n: 7n, pos: pos(6n), note: 'ab' }).metadata).toBe('n=7 pos=6 note=ab')
  })

  it.each([
    '',
    'n=1',
    'n=1 pos=',
    'pos=1 n=1',
    'n=-1 pos=2',
    'n=1 pos=2 ',
    'n=1 pos=2 note=',
    'n=1 pos=2 note=a b',
    'ref=7',
  ])('is not what somebody else committed: %j', metadata => {
    expect(fromCommitted({ offset: 3n, metadata })).toBeNull()
  })
})
