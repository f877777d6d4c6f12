import { describe, expect, test } from 'vitest'
import { chain, OperatorWorld, session } from '../testing/operator-world.ts'
import { gapRequest } from './gap.ts'

const world = (): OperatorWorld => {
  const made = new OperatorWorld()
  made.output({})
  made.output({})
  made.log({ kind: 'Tick' })
  return made
}
const after = { ...session, seq: 2n }
const dry = { mode: 'dry-run' } as const

test('shows where the log stands, what is lost, and where it goes on', async () => {
  const { out } = await world().run(gapRequest({ after, to: { ...session, seq: 12n, chain } }), dry)
  expect(out).toContain('7/42/2/abab')
  expect(out).toContain('Tick at pos 1700000000003000, 2023-11-14T22:13:20.003Z')
  expect(out).toContain('seq 2 at pos 1700000000002000')
  expect(out).toContain('seq 3 to 12 of session 7/42: 10 outputs')
})

test('without --to nobody here knows how much', async () => {
  const { out } = await world().run(gapRequest({ after }), dry)
  expect(out).toContain('seq 3 of session 7/42 and what follows')
  expect(out).toContain('what the engine names')
})

test('into another session the rest of this one is lost', async () => {
  const { out } = await world().run(gapRequest({ after, to: { epoch: 8n, random: 1n, seq: 0n, chain } }), dry)
  expect(out).toContain('all of session 7/42 from seq 3 on, and session 8/1 up to seq 0')
})

test('at the same seq with another chain the chain alone is given up', async () => {
  const { out } = await world().run(gapRequest({ after, to: { ...after, chain: Buffer.alloc(32, 1) } }), dry)
  expect(out).toContain('no output, but the proof that session 7/42 is whole')
})

describe('is refused', () => {
  test('with --to where the log stands', async () => {
    await expect(world().run(gapRequest({ after, to: { ...after, chain } }))).rejects.toMatchObject({
      code: 'gap-of-nothing',
    })
  })

  test.each([
    ['where the log stands elsewhere', { ...session, seq: 1n }],
    ['for another session', { epoch: 7n, random: 43n, seq: 2n }],
  ])('%s, saying where', async (_, elsewhere) => {
    await expect(world().run(gapRequest({ after: elsewhere }))).rejects.toMatchObject({
      code: 'gap-elsewhere',
      reason: 'refused',
      message: expect.stringContaining('the log stands after 7/42/2'),
    })
  })

  test('on an empty log that is said to stand somewhere', async () => {
    await expect(new OperatorWorld().run(gapRequest({ after }))).rejects.toMatchObject({
      code: 'gap-elsewhere',
      message: expect.stringContaining('the log stands at its beginning, it is empty'),
    })
  })

  test.each([
    ['an earlier one', { ...session, seq: 1n, chain }],
    ['another session of the epoch', { epoch: 7n, random: 43n, seq: 9n, chain }],
    ['an earlier epoch', { epoch: 6n, random: 42n, seq: 9n, chain }],
  ])('with --to before --after or beside it: %s', (_, to) => {
    expect(() => gapRequest({ after, to })).toThrow('lies before --after 7/42/2, or beside it')
  })
})
