import { describe, expect, it } from 'vitest'
import { Sessions } from '../journal/sessions.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { Acks } from './acks.ts'
import { answerTo, endOf, type Kept } from './replay-answer.ts'

const chainAt = (index: bigint): Buffer => Buffer.alloc(32, Number(index))

/** Three sessions: outputs 1 to 10, 11 to 20, and 21 to 25 so far; the oldest kept is `first`. */
const keptFrom = async (first: bigint): Promise<Kept> => {
  const folder = tempFolder()
  for (const last of [0n, 10n]) await Sessions.begin(folder, { last, chain: chainAt(last) })
  const sessions = await Sessions.begin(folder, { last: 20n, chain: chainAt(20n) })
  return { sessions, first, chainBeforeFirst: chainAt(first - 1n), sent: 25n, sentChain: chainAt(25n) }
}
const session = ({ sessions }: Kept, epoch: bigint) => {
  const row = sessions.all.find(known => known.epoch === epoch)
  if (!row) throw new Error(`no session ${epoch}`)
  return { epoch, random: row.random }
}
const rangeOf = (kept: Kept, epoch: bigint | null, from: bigint, to = 0n) => {
  const answer = answerTo({ kind: 'REPLAY', session: epoch === null ? null : session(kept, epoch), from, to }, kept)
  return answer.kind === 'range'
    ? [answer.session.epoch, answer.from, answer.to]
    : ['trimmed', answer.at.epoch, answer.at.seq, answer.at.chain[0]]
}

describe('the outputs that answer', () => {
  it.each([
    [1n, 1n, 0n, [1n, 1n, 10n]],
    [1n, 0n, 0n, [1n, 1n, 10n]],
    [1n, 3n, 5n, [1n, 3n, 5n]],
    [1n, 3n, 99n, [1n, 3n, 10n]],
    [1n, 11n, 0n, [1n, 11n, 10n]],
    [2n, 1n, 0n, [2n, 11n, 20n]],
    [3n, 2n, 0n, [3n, 22n, 25n]],
    [null, 1n, 0n, [1n, 1n, 10n]],
    [null, 0n, 4n, [1n, 1n, 4n]],
  ])('session %s from %s to %s, all kept', async (epoch, from, to, expected) => {
    expect(rangeOf(await keptFrom(1n), epoch, from, to)).toEqual(expected)
  })

  it.each([
    [1n, 1n, ['trimmed', 2n, 3n, 13]],
    [1n, 10n, ['trimmed', 2n, 3n, 13]],
    // All of session 1 was taken before: it needs nothing that is gone.
    [1n, 11n, [1n, 11n, 10n]],
    [2n, 3n, ['trimmed', 2n, 3n, 13]],
    [2n, 4n, [2n, 14n, 20n]],
    [3n, 1n, [3n, 21n, 25n]],
    [null, 1n, ['trimmed', 2n, 3n, 13]],
    [null, 0n, [2n, 14n, 20n]],
  ])('session %s from %s, kept from output 14 on', async (epoch, from, expected) => {
    expect(rangeOf(await keptFrom(14n), epoch, from)).toEqual(expected)
  })

  it('are not a beginning when whole sessions before it are gone', async () => {
    const kept = await keptFrom(11n)
    expect(rangeOf(kept, null, 1n)).toEqual(['trimmed', 2n, 0n, 10])
    expect(rangeOf(kept, null, 0n)).toEqual([2n, 11n, 20n])
    expect(rangeOf(kept, 2n, 1n)).toEqual([2n, 11n, 20n])
  })
})

describe('END', () => {
  it('names the last output of a session that is over, its chain, and the session after it', async () => {
    const kept = await keptFrom(14n)
    const [one, , three] = kept.sessions.all
    if (!one || !three) throw new Error('no sessions')
    expect(endOf(one, kept)).toEqual({
      ...{ kind: 'END', over: true, next: session(kept, 2n) },
      at: { ...session(kept, 1n), seq: 10n, chain: chainAt(10n) },
    })
    expect(endOf(three, kept)).toEqual({
      ...{ kind: 'END', over: false, next: null },
      at: { ...session(kept, 3n), seq: 5n, chain: chainAt(25n) },
    })
  })
})

describe('an ACK', () => {
  it('counts for the configured stream, a known session, and what was sent', async () => {
    const kept = await keptFrom(1n)
    const acks = new Acks({ stream: 'main', sessions: kept.sessions })
    const take = (epoch: bigint, seq: bigint, stream = 'main') =>
      acks.take({ kind: 'ACK', stream, session: session(kept, epoch), seq }, kept.sent)
    expect(acks.acked).toBe(20n)
    expect(take(3n, 2n)).toEqual({ kind: 'acked', index: 22n })
    expect(take(3n, 2n)).toEqual({ kind: 'stale' })
    expect(take(3n, 6n)).toEqual({ kind: 'beyond-sent' })
    expect(take(2n, 11n)).toEqual({ kind: 'beyond-sent' })
    expect(take(3n, 5n, 'other')).toEqual({ kind: 'other-stream' })
    // A bridge that comes late acknowledges an earlier session: the journal may drop it.
    expect(take(1n, 4n)).toEqual({ kind: 'acked', index: 4n })
    expect(acks.take({ kind: 'ACK', stream: 'main', session: { epoch: 1n, random: 0n }, seq: 1n }, 25n)).toEqual({
      kind: 'unknown-session',
    })
    expect(acks.acked).toBe(22n)
    expect(acks.counts).toMatchObject({ acked: 2, stale: 1, 'beyond-sent': 2, 'other-stream': 1, 'unknown-session': 1 })
  })
})
