import { beforeEach, describe, expect, test } from 'vitest'
import { pos, type Pos, userId } from '../../core/ids.ts'
import { change, obedient, OperatorWorld } from '../testing/operator-world.ts'
import { admitRequest } from './admit.ts'

const dry = { mode: 'dry-run' } as const
const fee = (at: bigint, by: bigint, user: bigint) => ({
  ...change([at, 100n, 0n], [by, 0n], { user: userId(user) }),
  reason: 'Reserve' as const,
})

let world: OperatorWorld
let good: Pos
let bad: Pos
beforeEach(() => {
  world = new OperatorWorld()
  for (let i = 0; i < 20; i++) world.output({})
  world.settled()
  good = world.output({ changes: [change([1n, 5n, 0n], [5n, 0n])] })
  bad = world.output({ changes: [fee(2n, 5n, 7n), fee(3n, -3n, 8n)] })
  for (let i = 0; i < 20; i++) world.log({ kind: 'Tick' })
})

test('shows what is wrong, each posting, and the sums', async () => {
  const { out, exitCode } = await world.run(admitRequest({ pos: bad }), dry)
  expect(exitCode).toBe(0)
  expect(out).toContain(
    `Output at pos ${bad}: offset 42, seq 22 of session 7/42, 0 order updates, 0 trades, 2 postings`,
  )
  expect(out).toContain('What is wrong with it: NotZero: changes of asset 1 without an external reason sum to 2')
  expect(out).toMatch(/7 │\s+1 │ Reserve\s+│\s+1 │\s+\+5 │\s+0 │\s+100 │\s+0 │\s+2/)
  expect(out).toMatch(/│\s+1 │\s+0 │\s+\+2 │/)
  expect(world.sent()).toEqual([])
})

test('is sent by pos', async () => {
  const over = new AbortController()
  const bridge = world.bridge(obedient, over.signal)
  const { exitCode, out } = await world.run(admitRequest({ pos: bad }))
  over.abort()
  await bridge
  expect(exitCode).toBe(0)
  expect(out).toContain(`done: the output at pos ${bad} is admitted`)
  expect(world.sent()).toMatchObject([{ kind: 'Admit', refusedPos: bad }])
})

test('JSON has every posting and the refusal', async () => {
  const { out } = await world.run(admitRequest({ pos: bad }), { ...dry, format: 'json' })
  expect(JSON.parse(out)).toMatchObject({
    sent: 'no',
    facts: { offset: '42', refusal: { kind: 'NotZero' }, sums: [{ asset: 1, external: '0', internal: '2' }] },
    command: { kind: 'Admit', refusedPos: `${bad}` },
  })
})

test('many postings are cut in text', async () => {
  const changes = Array.from({ length: 45 }, (_, i) => fee(BigInt(i + 1), 1n, 7n))
  const { out } = await world.run(admitRequest({ pos: world.output({ changes }) }), dry)
  expect(out).toContain('and 5 postings more; --json has all')
})

describe('is refused', () => {
  test('for an output that passes, unless it is said', async () => {
    await expect(world.run(admitRequest({ pos: good }))).rejects.toMatchObject({
      code: 'admit-passes',
      message: expect.stringContaining('--even-if-it-passes'),
    })
    const { out } = await world.run(admitRequest({ pos: good, evenIfItPasses: true }), dry)
    expect(out).toContain('assets and symbols were not looked up')
  })

  test('for another kind of record', async () => {
    const tick = world.log({ kind: 'Tick' })
    await expect(world.run(admitRequest({ pos: tick }))).rejects.toMatchObject({
      code: 'admit-no-output',
      message: expect.stringContaining('is a Tick'),
    })
  })

  test.each([
    ['between two records', 500n],
    ['past the end', 1_000_000n],
    ['before the beginning', -1_000_000n],
  ])('for a pos %s', async (_, by) => {
    await expect(world.run(admitRequest({ pos: pos(bad + by) }))).rejects.toMatchObject({ code: 'admit-no-record' })
  })

  test('for an output that repartition has passed', async () => {
    const last = world.output({ changes: [fee(1n, 1n, 7n)] })
    expect((await world.run(admitRequest({ pos: last }), dry)).exitCode).toBe(0)
    world.settled()
    for (const each of [last, bad])
      await expect(world.run(admitRequest({ pos: each }))).rejects.toMatchObject({ code: 'admit-passed' })
  })
})

test('finds each record of a log with holes', async () => {
  const log = world.broker.log('demo.engine.outputs', 0)
  log.trim(7n)
  for (let i = 0; i < 5; i++) log.mark()
  const last = world.output({ changes: [fee(1n, 1n, 7n)] })
  for (let i = 0; i < 9; i++) log.mark()
  for (const each of [bad, last])
    expect((await world.run(admitRequest({ pos: each }), dry)).out).toContain(`Output at pos ${each}:`)
})

test('an Admit of the same output that no bridge has come to yet is waited for first', async () => {
  await world.run(admitRequest({ pos: bad }), { waitMs: 0 })
  await expect(world.run(admitRequest({ pos: bad }), { id: 'c-2' })).rejects.toMatchObject({ code: 'command-waits' })
})
