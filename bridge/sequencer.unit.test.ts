import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EnginePosition } from '../core/events.ts'
import { nextChain, zeroChain } from '../schemas/chain.ts'
import type { EngineFrame } from '../schemas/frames.ts'
import type { DialectFrame, ToldPosition } from './dialects/dialect.ts'
import type { Effect } from './effect.ts'
import type { Inspect } from './inspect-output.ts'
import { Sequencer, type SequencerLimits } from './sequencer.ts'

const limits = {
  bufferCount: 50,
  bufferBytes: 1_000_000,
  replayCount: 10n,
  replayTimeoutMs: 100,
  replayTimeoutMaxMs: 400,
}
const nothing: EnginePosition = { epoch: 0n, random: 0n, seq: 0n, chain: zeroChain }

type Out = Extract<EngineFrame, { kind: 'OUT' }>

/** The outputs of several lives of one engine, chained. */
const history = (lives: readonly number[]): readonly (readonly Out[])[] => {
  let chain = zeroChain
  return lives.map((count, life) =>
    Array.from({ length: count }, (_, i) => {
      const payload = Buffer.from(`output ${life + 1}/${i + 1}`)
      chain = nextChain(chain, payload)
      const at = { epoch: BigInt(life + 1), random: BigInt(life + 100), seq: BigInt(i + 1), chain }
      return { kind: 'OUT', at, payload }
    }),
  )
}
const plain: Inspect = () => ({ kind: 'Output' })
const sequencerAt = (
  at: EnginePosition,
  {
    replays = true,
    inspect = plain,
    ...over
  }: Partial<SequencerLimits> & { replays?: boolean; inspect?: Inspect } = {},
): Sequencer => new Sequencer(at, { ...limits, ...over }, { replays, inspect })
const taken = (effects: readonly Effect[]): string[] =>
  effects.flatMap(effect => (effect.kind === 'take' ? [effect.payload.toString()] : []))
const kinds = (effects: readonly Effect[]): string[] =>
  effects.map(effect =>
    effect.kind === 'drop' ? `drop ${effect.reason}` : effect.kind === 'halt' ? `stop ${effect.code}` : effect.kind,
  )
const outAt = (frames: readonly Out[] | undefined, seq: number): Out => {
  const frame = frames?.[seq - 1]
  if (!frame) throw new Error(`the history has no seq ${seq}`)
  return frame
}

describe('a sequencer on an empty log', () => {
  it('asks for the oldest session and begins it with its first output', () => {
    const sequencer = sequencerAt(nothing)
    expect(sequencer.request(0)).toEqual({ session: null, from: 1n, to: 10n })
    const [life] = history([2])
    expect(kinds(sequencer.take(outAt(life, 1), 1, 'replay'))).toEqual(['session', 'take'])
    expect(kinds(sequencer.take(outAt(life, 2), 2, 'replay'))).toEqual(['take'])
  })

  it('begins a session that has no output yet from END', () => {
    const sequencer = sequencerAt(nothing)
    const at = { epoch: 4n, random: 9n, seq: 0n, chain: zeroChain }
    expect(kinds(sequencer.take({ kind: 'END', at, over: false, next: null }, 1, 'replay'))).toEqual(['session'])
  })

  it('stops when the engine has trimmed what nobody has', () => {
    const sequencer = sequencerAt(nothing)
    const at = outAt(history([9])[0], 5).at
    expect(kinds(sequencer.take({ kind: 'TRIMMED', at }, 1, 'replay'))).toEqual(['stop trimmed'])
  })
})

describe('a sequencer within a session', () => {
  const [life = []] = history([20])
  const begun = (): Sequencer => {
    const sequencer = sequencerAt(nothing)
    sequencer.take(outAt(life, 1), 0, 'replay')
    sequencer.take({ kind: 'END', at: outAt(life, 1).at, over: false, next: null }, 0, 'replay')
    return sequencer
  }

  it('keeps what is ahead and takes it in order once the hole is filled', () => {
    const sequencer = begun()
    expect(sequencer.request(1)).toBeNull()
    expect(sequencer.take(outAt(life, 4), 1, 'replay')).toEqual([])
    expect(sequencer.take(outAt(life, 3), 1, 'replay')).toEqual([])
    expect(sequencer.request(1)).toEqual({ session: { epoch: 1n, random: 100n }, from: 2n, to: 11n })
    expect(taken(sequencer.take(outAt(life, 2), 2, 'replay'))).toEqual(['output 1/2', 'output 1/3', 'output 1/4'])
    expect(sequencer.buffered).toBe(0)
  })

  it('drops what it has seen', () => {
    expect(kinds(begun().take(outAt(life, 1), 1, 'replay'))).toEqual(['drop seen'])
  })

  it('sees the loss of the last message by the heartbeat', () => {
    const sequencer = begun()
    sequencer.take({ kind: 'HBT', at: outAt(life, 2).at, clockUs: 0n }, 1, 'replay')
    expect(sequencer.request(1)?.from).toBe(2n)
  })

  it('asks again later and later while nothing comes', () => {
    const sequencer = begun()
    sequencer.take(outAt(life, 9), 0, 'replay')
    const asked: number[] = []
    for (let ms = 0; ms < 2000; ms += 10) if (sequencer.request(ms)) asked.push(ms)
    expect(asked).toEqual([0, 100, 300, 700, 1100, 1500, 1900])
  })

  it('asks the engine again before it believes a live frame that contradicts the log', () => {
    const forged: Out = { ...outAt(life, 2), payload: Buffer.from('forged') }
    const sequencer = begun()
    expect(kinds(sequencer.take(forged, 1, 'live'))).toEqual(['drop unproven'])
    const beat = { ...outAt(life, 1).at, chain: Buffer.alloc(32, 7) }
    expect(kinds(sequencer.take({ kind: 'HBT', at: beat, clockUs: 0n }, 1, 'live'))).toEqual(['drop unproven'])
    expect(sequencer.request(1)?.from).toBe(2n)
    expect(kinds(sequencer.take(outAt(life, 2), 2, 'replay'))).toEqual(['take'])
  })

  it('asks the engine again for what it kept and can not be true, too', () => {
    const forged: Out = { ...outAt(life, 3), payload: Buffer.from('forged') }
    const sequencer = begun()
    expect(sequencer.take(forged, 1, 'live')).toEqual([])
    expect(kinds(sequencer.take(outAt(life, 2), 1, 'live'))).toEqual(['take', 'drop unproven'])
    expect(kinds(sequencer.take(outAt(life, 3), 2, 'replay'))).toEqual(['take'])
  })

  it('believes the engine over a live word of what it has sent', () => {
    const sequencer = begun()
    const far = { ...outAt(life, 1).at, seq: 2n ** 60n }
    sequencer.take({ kind: 'HBT', at: far, clockUs: 0n }, 1, 'live')
    expect(kinds(sequencer.take({ ...outAt(life, 2), at: far }, 1, 'live'))).toEqual(['drop buffer-full'])
    expect(sequencer.behind).toBe(true)
    sequencer.take({ kind: 'END', at: outAt(life, 1).at, over: false, next: null }, 2, 'replay')
    expect(sequencer.behind).toBe(false)
  })

  it('stops on a chain that does not follow', () => {
    const forged: Out = { ...outAt(life, 2), payload: Buffer.from('forged') }
    expect(kinds(begun().take(forged, 1, 'replay'))).toEqual(['stop broken-chain'])
  })

  it('stops on a heartbeat with another chain at the same seq', () => {
    const at = { ...outAt(life, 1).at, chain: Buffer.alloc(32, 7) }
    expect(kinds(begun().take({ kind: 'HBT', at, clockUs: 0n }, 1, 'replay'))).toEqual(['stop broken-chain'])
  })

  it('stops when the engine ends before what is durable', () => {
    const at = { ...outAt(life, 1).at, seq: 0n, chain: zeroChain }
    expect(kinds(begun().take({ kind: 'END', at, over: true, next: null }, 1, 'replay'))).toEqual([
      'stop engine-lost-outputs',
    ])
  })

  it('passes over an answer that live frames have overtaken', () => {
    const at = { ...outAt(life, 1).at, seq: 0n, chain: zeroChain }
    expect(begun().take({ kind: 'END', at, over: false, next: null }, 1, 'replay')).toEqual([])
  })

  it('stops on TRIMMED that leaves a hole, and passes over one that does not', () => {
    expect(kinds(begun().take({ kind: 'TRIMMED', at: outAt(life, 5).at }, 1, 'replay'))).toEqual(['stop trimmed'])
    expect(begun().take({ kind: 'TRIMMED', at: outAt(life, 1).at }, 1, 'replay')).toEqual([])
  })

  it('drops another engine of the same epoch, and lower epochs', () => {
    const { at, payload } = outAt(life, 2)
    const foreign: Out = { kind: 'OUT', at: { ...at, random: 5n }, payload }
    expect(kinds(begun().take(foreign, 1, 'replay'))).toEqual(['drop foreign-session'])
    const lower: Out = { kind: 'OUT', at: { ...at, epoch: 0n }, payload }
    expect(kinds(begun().take(lower, 1, 'replay'))).toEqual(['drop lower-epoch'])
  })

  it('bounds what it keeps', () => {
    const sequencer = sequencerAt(outAt(life, 1).at, { bufferCount: 3 })
    const effects = [3, 4, 5].flatMap(seq => sequencer.take(outAt(life, seq), 1, 'replay'))
    // With seq 2, which is missing, these three are all that there is room for.
    expect(kinds(effects)).toEqual(['drop buffer-full'])
    expect(sequencer.buffered).toBe(2)
    expect(kinds(sequencer.take(outAt(life, 3), 1, 'replay'))).toEqual(['drop seen'])
    const narrow = sequencerAt(outAt(life, 1).at, { bufferBytes: 15 })
    expect(kinds([3, 4].flatMap(seq => narrow.take(outAt(life, seq), 1, 'replay')))).toEqual(['drop buffer-full'])
  })

  it('bounds the bytes of what it keeps', () => {
    const sequencer = sequencerAt(outAt(life, 1).at, { bufferBytes: 2 * outAt(life, 3).payload.length })
    const effects = [3, 4, 5].flatMap(seq => sequencer.take(outAt(life, seq), 1, 'live'))
    expect(kinds(effects)).toEqual(['drop buffer-full'])
    expect(taken(sequencer.take(outAt(life, 2), 2, 'replay'))).toEqual(['output 1/2', 'output 1/3', 'output 1/4'])
    // What has left makes room.
    expect(sequencer.take(outAt(life, 6), 3, 'live')).toEqual([])
  })
})

describe('a sequencer over sessions', () => {
  const [first = [], second = []] = history([3, 3])

  it('takes a new session by its first output only when that extends the chain', () => {
    const complete = sequencerAt(outAt(first, 3).at)
    expect(kinds(complete.take(outAt(second, 1), 1, 'replay'))).toEqual(['session', 'take'])
    const incomplete = sequencerAt(outAt(first, 2).at)
    expect(kinds(incomplete.take(outAt(second, 1), 1, 'replay'))).toEqual(['drop not-yet'])
    expect(incomplete.request(1)?.from).toBe(3n)
  })

  it('goes on to the next session by END', () => {
    const sequencer = sequencerAt(outAt(first, 3).at)
    sequencer.request(0)
    const { epoch, random } = outAt(second, 1).at
    const end: EngineFrame = { kind: 'END', at: outAt(first, 3).at, over: true, next: { epoch, random } }
    expect(kinds(sequencer.take(end, 1, 'replay'))).toEqual(['session'])
    expect(sequencer.request(1)).toEqual({ session: { epoch, random }, from: 1n, to: 10n })
  })
})

describe('a sequencer that is told of sessions', () => {
  const [first = [], second = []] = history([3, 3])
  const sessionOf = (out: Out) => ({ epoch: out.at.epoch, random: out.at.random })
  const beginOf = (out: Out, chain: Buffer | null) => ({ ...sessionOf(out), seq: 0n, chain })
  const hbt = (at: ToldPosition): DialectFrame => ({ kind: 'HBT', at, clockUs: 0n })

  it('begins the next by a heartbeat that starts where this one stands, and by no other', () => {
    const last = outAt(first, 3).at
    const complete = sequencerAt(last)
    expect(kinds(complete.take(hbt(beginOf(outAt(second, 1), last.chain)), 1, 'replay'))).toEqual(['session'])
    expect(complete.at).toEqual({ ...sessionOf(outAt(second, 1)), seq: 0n, chain: last.chain })
    const incomplete = sequencerAt(outAt(first, 2).at)
    expect(incomplete.take(hbt(beginOf(outAt(second, 1), last.chain)), 1, 'replay')).toEqual([])
    expect(incomplete.request(1)?.session).toEqual(sessionOf(outAt(first, 1)))
  })

  it('drops late frames of the session before as finished, of an older engine as an alarm', () => {
    const sequencer = sequencerAt(outAt(first, 3).at)
    sequencer.take(outAt(second, 1), 1, 'replay')
    expect(kinds(sequencer.take(outAt(first, 3), 2, 'replay'))).toEqual(['drop finished-session'])
    const older = { ...outAt(first, 3).at, random: 77n }
    expect(kinds(sequencer.take(hbt(older), 2, 'replay'))).toEqual(['drop lower-epoch'])
  })

  it('stops when the session after does not come after', () => {
    const { at } = outAt(second, 3)
    const end: DialectFrame = { kind: 'END', at, over: true, next: sessionOf(outAt(first, 1)) }
    expect(kinds(sequencerAt(at).take(end, 1, 'replay'))).toEqual(['stop session-order'])
  })

  it('asks the next session that END names how far it has come', () => {
    const sequencer = sequencerAt(outAt(first, 3).at)
    const next = sessionOf(outAt(second, 1))
    sequencer.take({ kind: 'END', at: outAt(first, 3).at, over: true, next }, 1, 'replay')
    expect(sequencer.behind).toBe(true)
    expect(sequencer.request(1)?.session).toEqual(next)
    sequencer.take(
      { kind: 'END', at: beginOf(outAt(second, 1), outAt(first, 3).at.chain), over: false, next: null },
      2,
      'replay',
    )
    expect(sequencer.behind).toBe(false)
  })

  it('stops when the engine keeps later sessions only', () => {
    const trimmed: DialectFrame = { kind: 'TRIMMED', at: outAt(second, 2).at }
    const effects = sequencerAt(outAt(first, 3).at).take(trimmed, 1, 'replay')
    expect(effects).toMatchObject([{ kind: 'halt', code: 'trimmed', resumeAt: outAt(second, 2).at }])
    expect(effects[0]).toMatchObject({ message: expect.stringContaining('settle gap --after 1/100/3') })
  })

  it('believes this session over a stranger’s word of a later one', () => {
    const { at } = outAt(first, 3)
    const sequencer = sequencerAt(at)
    sequencer.take({ kind: 'END', at, over: false, next: null }, 1, 'replay')
    sequencer.take(outAt(second, 2), 2, 'replay')
    expect(sequencer.behind).toBe(true)
    sequencer.request(2)
    sequencer.take({ kind: 'END', at, over: false, next: null }, 3, 'replay')
    expect(sequencer.behind).toBe(false)
  })

  it('stops on a history that begins before an empty log', () => {
    const { at } = outAt(second, 1)
    const end: DialectFrame = { kind: 'END', at: { ...at, seq: 0n }, over: false, next: null }
    expect(kinds(sequencerAt(nothing).take(end, 1, 'replay'))).toEqual(['stop broken-chain'])
  })

  it('asks again for what was lost, and counts what brings nothing', () => {
    const { at } = outAt(first, 3)
    const sequencer = sequencerAt(at)
    sequencer.take({ kind: 'END', at, over: false, next: null }, 0, 'replay')
    expect(sequencer.request(0)).toBeNull()
    sequencer.lost()
    for (let ms = 0; ms <= 700; ms += 100) sequencer.request(ms)
    expect(sequencer.fruitless).toBe(3)
    sequencer.take({ kind: 'END', at, over: false, next: null }, 800, 'replay')
    expect(sequencer.behind).toBe(false)
  })
})

describe('replays of a long session', () => {
  const [life = []] = history([60])
  const last = outAt(life, 60).at
  const end: EngineFrame = { kind: 'END', at: last, over: false, next: null }
  const replay = (sequencer: Sequencer, { from, to }: { from: bigint; to: bigint }, ms: number): void => {
    for (let seq = from; seq <= to && seq <= last.seq; seq++) sequencer.take(outAt(life, Number(seq)), ms, 'replay')
    sequencer.take(end, ms, 'replay')
  }

  it('are asked for one after the other, each when the one before is here', () => {
    const sequencer = sequencerAt(nothing)
    let requests = 0
    for (let request = sequencer.request(0); request; request = sequencer.request(requests)) {
      requests++
      expect(sequencer.request(requests)).toBeNull()
      replay(sequencer, request, requests)
    }
    expect([requests, sequencer.at]).toEqual([6, last])
  })

  it('are not doubled for ever because one was late', () => {
    const sequencer = sequencerAt(outAt(life, 1).at)
    const late = sequencer.request(0)
    const again = sequencer.request(limits.replayTimeoutMs)
    if (!late || !again) throw new Error('it did not ask twice')
    replay(sequencer, late, 101)
    const more = sequencer.request(102)
    expect(more?.from).toBe(12n)
    // The answer to the second request ends: its outputs were seen, and the third is still under way.
    sequencer.take(end, 103, 'replay')
    expect(sequencer.request(104)).toBeNull()
  })
})

describe('an engine that keeps no chain', () => {
  const [first = [], second = []] = history([3, 3])
  const bare = <F extends DialectFrame>(frame: F): F => ({ ...frame, at: { ...frame.at, chain: null } })
  const sessionOf = ({ at }: Out) => ({ epoch: at.epoch, random: at.random })

  it('gets its chain from the bridge, the same one', () => {
    const sequencer = sequencerAt(outAt(first, 1).at)
    const effects = [2, 3].flatMap(seq => sequencer.take(bare(outAt(first, seq)), 1, 'replay'))
    expect(effects.map(({ at }: { at?: unknown } & Effect) => at)).toEqual([outAt(first, 2).at, outAt(first, 3).at])
  })

  it('is asked for what is missing, though no chain shows the hole', () => {
    const sequencer = sequencerAt(outAt(first, 1).at)
    expect(sequencer.take(bare(outAt(first, 3)), 1, 'live')).toEqual([])
    expect(sequencer.request(1)?.from).toBe(2n)
    expect(taken(sequencer.take(bare(outAt(first, 2)), 2, 'replay'))).toEqual(['output 1/2', 'output 1/3'])
  })

  it('has no output taken twice', () => {
    const sequencer = sequencerAt(outAt(first, 2).at)
    expect([1, 2].flatMap(seq => kinds(sequencer.take(bare(outAt(first, seq)), 1, 'live')))).toEqual([
      'drop seen',
      'drop seen',
    ])
    expect(sequencer.at).toEqual(outAt(first, 2).at)
  })

  it('begins its first session with what END names as the oldest, not with what happens to be live', () => {
    const sequencer = sequencerAt(nothing)
    expect(kinds(sequencer.take(bare(outAt(second, 1)), 1, 'replay'))).toEqual(['drop not-yet'])
    sequencer.request(1)
    const end: DialectFrame = { kind: 'END', at: outAt(first, 3).at, over: true, next: sessionOf(outAt(second, 1)) }
    expect(kinds(sequencer.take(bare(end), 2, 'replay'))).toEqual(['session'])
    expect(sequencer.request(2)).toMatchObject({ session: sessionOf(outAt(first, 1)), from: 1n })
  })

  it('begins its next session only when the end of this one was told', () => {
    const ended = sequencerAt(outAt(first, 3).at)
    expect(ended.take(bare({ kind: 'EOS', at: outAt(first, 3).at }), 1, 'replay')).toEqual([])
    expect(kinds(ended.take(bare(outAt(second, 1)), 1, 'replay'))).toEqual(['session', 'take'])
    const crashed = sequencerAt(outAt(first, 3).at)
    expect(kinds(crashed.take(bare(outAt(second, 1)), 1, 'replay'))).toEqual(['drop not-yet'])
    const early = sequencerAt(outAt(first, 2).at)
    early.take(bare({ kind: 'EOS', at: outAt(first, 3).at }), 1, 'replay')
    expect(kinds(early.take(bare(outAt(second, 1)), 1, 'replay'))).toEqual(['drop not-yet'])
  })
})

describe('an engine that can not replay', () => {
  const [first = [], second = []] = history([4, 3])
  const live = (at: EnginePosition): Sequencer => sequencerAt(at, { replays: false })

  it('is never asked', () => {
    expect(live(outAt(first, 1).at).request(0)).toBeNull()
  })

  it('stops on a hole, and says how to go on', () => {
    const [halted] = live(outAt(first, 1).at).take(outAt(first, 3), 1, 'replay')
    expect(halted).toMatchObject({ kind: 'halt', code: 'gap-without-replay', resumeAt: null })
    expect(halted).toMatchObject({ message: expect.stringContaining('settle gap --after 1/100/1') })
  })

  it('stops on a lost tail, and can go on where the heartbeat says', () => {
    const beat: DialectFrame = { kind: 'HBT', at: outAt(first, 4).at, clockUs: 0n }
    const sequencer = live(outAt(first, 3).at)
    expect(sequencer.take(beat, 1, 'replay')).toMatchObject([
      { code: 'gap-without-replay', resumeAt: outAt(first, 4).at },
    ])
    sequencer.accept(outAt(first, 4).at)
    expect(sequencer.take(beat, 2, 'replay')).toEqual([])
    expect(kinds(sequencer.take(outAt(second, 1), 3, 'replay'))).toEqual(['session', 'take'])
  })

  it('stops on a session whose first output does not follow', () => {
    expect(kinds(live(outAt(first, 3).at).take(outAt(second, 1), 1, 'replay'))).toEqual(['stop gap-without-replay'])
    expect(kinds(live(outAt(first, 4).at).take(outAt(second, 1), 1, 'replay'))).toEqual(['session', 'take'])
  })
})

describe('an accepted loss', () => {
  const [first = [], second = []] = history([9, 3])

  it('goes on behind it, with what is kept already', () => {
    const sequencer = sequencerAt(outAt(first, 1).at)
    for (const seq of [4, 6, 7]) sequencer.take(outAt(first, seq), 1, 'replay')
    sequencer.accept(outAt(first, 5).at)
    expect(sequencer.buffered).toBe(2)
    expect(taken(sequencer.take(outAt(first, 6), 2, 'replay'))).toEqual(['output 1/6', 'output 1/7'])
  })

  it('may end a session, too', () => {
    const sequencer = sequencerAt(outAt(first, 1).at)
    sequencer.accept(outAt(second, 1).at)
    expect(taken(sequencer.take(outAt(second, 2), 2, 'replay'))).toEqual(['output 2/2'])
    expect(kinds(sequencer.take(outAt(first, 2), 2, 'replay'))).toEqual(['drop finished-session'])
  })

  it('is the way past an output that can not be taken', () => {
    const reason = 'too large'
    const inspect: Inspect = payload =>
      payload.toString() === 'output 1/2' ? { kind: 'refused', code: 'oversized-output', reason } : { kind: 'Output' }
    const sequencer = sequencerAt(outAt(first, 1).at, { inspect })
    const [halted] = sequencer.take(outAt(first, 2), 1, 'replay')
    expect(halted).toMatchObject({ kind: 'halt', code: 'oversized-output', resumeAt: outAt(first, 2).at })
    expect(sequencer.at).toEqual(outAt(first, 1).at)
    sequencer.accept(outAt(first, 2).at)
    expect(taken(sequencer.take(outAt(first, 3), 2, 'replay'))).toEqual(['output 1/3'])
  })
})

describe('any loss, doubling and order', () => {
  it('ends with each output once, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
        fc.infiniteStream(fc.nat()),
        (lives, randoms) => {
          const sessions = history(lives)
          const all = sessions.flat()
          const sequencer = sequencerAt(nothing, { bufferCount: 4 })
          const got: string[] = []
          const draw = (bound: number): number => (randoms.next().value ?? 0) % bound
          const feed = (frame: EngineFrame, ms: number): void =>
            void got.push(...taken(sequencer.take(frame, ms, 'replay')))
          // A lossy live stream in disorder, with replays that lose some as well.
          for (let ms = 0; got.length < all.length; ms += 25) {
            const live = all[draw(all.length)]
            if (live && draw(3) > 0) feed(live, ms)
            const request = sequencer.request(ms)
            if (!request || draw(4) === 0) continue
            const index = request.session ? sessions.findIndex(s => s[0]?.at.epoch === request.session?.epoch) : 0
            const outputs = sessions[index] ?? []
            for (const out of outputs)
              if (out.at.seq >= request.from && out.at.seq <= request.to && draw(5) > 0) feed(out, ms)
            const last = outputs.at(-1)?.at
            const next = sessions[index + 1]?.[0]?.at ?? null
            if (last) feed({ kind: 'END', at: last, over: next !== null, next }, ms)
            expect(ms).toBeLessThan(1_000_000)
          }
          expect(got).toEqual(all.map(out => out.payload.toString()))
        },
      ),
    )
  })
})
