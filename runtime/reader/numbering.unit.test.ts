import { describe, expect, it } from 'vitest'
import { pos } from '../../core/ids.ts'
import { encodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import { zeroChain } from '../../schemas/chain.ts'
import { logNumbering, userNumbering } from './numbering.ts'

const place = (n: bigint, at: bigint) => ({ n, pos: pos(at) })

describe('records of user.outputs', () => {
  it('are placed by n and pos', () => {
    const ns = [4n]
    const barrier = { kind: 'Barrier', n: 4n, src: 3n, pos: pos(9n), previous: pos(1n), ns, flow: [] } as const
    expect(userNumbering.place(userNumbering.decode(encodeUserRecord(barrier)))).toEqual(place(4n, 9n))
  })

  it('follow each other by n = last + 1; a barrier shares the pos of what it closes', () => {
    expect(userNumbering.problem(place(0n, 0n), place(1n, 5n))).toBeNull()
    expect(userNumbering.problem(place(1n, 5n), place(2n, 5n))).toBeNull()
  })

  it.each([
    [place(1n, 5n), place(1n, 6n), 'n is 1 after 1'],
    [place(1n, 5n), place(3n, 6n), 'n is 3 after 1'],
    [place(2n, 5n), place(1n, 6n), 'n is 1 after 2'],
    [place(1n, 5n), place(2n, 4n), 'pos falls from 5 to 4'],
  ])('never do otherwise: %o, %o', (previous, next, problem) => {
    expect(userNumbering.problem(previous, next)).toBe(problem)
  })
})

describe('records of engine.outputs', () => {
  it('are placed by pos alone', () => {
    const at = { epoch: 1n, random: 1n, seq: 1n, chain: zeroChain }
    const tick = encodeLogRecord({ kind: 'Tick', pos: pos(9n), at })
    expect(logNumbering.place(logNumbering.decode(tick))).toEqual(place(0n, 9n))
  })

  it('follow each other by a pos that strictly rises', () => {
    expect(logNumbering.problem(place(0n, 4n), place(0n, 5n))).toBeNull()
    expect(logNumbering.problem(place(0n, 5n), place(0n, 5n))).toBe('pos does not rise: 5 after 5')
    expect(logNumbering.problem(place(0n, 5n), place(0n, 4n))).toBe('pos does not rise: 4 after 5')
  })
})
