import { beforeEach, describe, expect, test } from 'vitest'
import { type Pos, pos } from '../../core/ids.ts'
import type { CommittedOffset } from '../../runtime/kafka/port.ts'
import { obedient, OperatorWorld } from '../testing/operator-world.ts'
import { type ReplayGroup, replayRequest } from './replay.ts'

const dry = { mode: 'dry-run' } as const
const back = (at: Pos, group: ReplayGroup = 'settle') => replayRequest({ group, to: { kind: 'pos', pos: at } })
const start = (group: ReplayGroup = 'settle') => replayRequest({ group, to: { kind: 'start' } })

/** Three barriers, which settle has committed, at pos …1000, …2000 and …3000; a barrier's marker takes an offset too. */
let world: OperatorWorld
let barriers: readonly Pos[]
beforeEach(() => {
  world = new OperatorWorld()
  barriers = [1, 2, 3].map(() => {
    const at = world.output({})
    world.settled()
    for (let partition = 0; partition < 2; partition++) world.broker.log('demo.user.outputs', partition).mark()
    return at
  })
})
const [first, second, third] = [0, 1, 2].map(each => () => barriers[each] as Pos) as [() => Pos, () => Pos, () => Pos]
const offsets = (group = 'settle'): Map<number, CommittedOffset> =>
  world.broker.offsets(`demo.${group}`, 'demo.user.outputs')
const stands = (group?: string): readonly string[] =>
  [...offsets(group)].map(([partition, { offset, metadata }]) => `${partition}: ${offset} ${metadata}`)
/** Runs with a bridge beside it. */
const answered = async (...args: Parameters<OperatorWorld['run']>) => {
  const over = new AbortController()
  const bridge = world.bridge(obedient, over.signal)
  try {
    return await world.run(...args)
  } finally {
    over.abort()
    await bridge
  }
}

describe('a group is set back', () => {
  test('to just after a barrier, in all partitions, with what readers check; the log keeps who and why', async () => {
    const { out, exitCode } = await answered(back(second()))
    expect(exitCode).toBe(0)
    expect(stands()).toEqual([`0: 3 n=2 pos=${second()}`, `1: 3 n=2 pos=${second()}`])
    expect(out).toContain('group demo.settle is set')
    expect(out).toContain('done: noted in the log')
    const text =
      `settle replay --group settle --to ${second()}: group demo.settle on demo.user.outputs is set to just after the ` +
      `barrier at pos ${second()}, offsets by partition 0: 5 → 3, 1: 5 → 3`
    expect(world.sent()).toMatchObject([{ kind: 'Note', command: { who: 'ann', why: 'INC-1' }, text }])
  })

  test('to the last barrier at or before a pos', async () => {
    await answered(back(pos(third() - 1n)))
    expect(stands()).toEqual([`0: 3 n=2 pos=${second()}`, `1: 3 n=2 pos=${second()}`])
  })

  test('to the first record', async () => {
    await answered(start())
    expect(stands()).toEqual(['0: 0 n=0 pos=0', '1: 0 n=0 pos=0'])
  })

  test('by nobody in a dry run, which shows both places', async () => {
    const before = stands()
    const { out, exitCode } = await world.run(back(first()), dry)
    expect(exitCode).toBe(0)
    expect(out).toContain(
      `Group demo.settle on demo.user.outputs goes back to just after the barrier at pos ${first()}`,
    )
    expect(out).toMatch(/0 │\s+3 │ 1700000000003000 │\s+1 │\s+1 │\s+2 /)
    expect([world.sent(), stands()]).toEqual([[], before])
  })

  test('also while no bridge runs: its note waits for one', async () => {
    const { exitCode, out } = await world.run(back(second()), { waitMs: 0 })
    expect(exitCode).toBe(0)
    expect(out).toContain('group demo.settle is set')
    expect(stands()[0]).toBe(`0: 3 n=2 pos=${second()}`)
  })

  test.each(['archive', 'load'] as const)('%s is another group', async group => {
    for (const [partition, each] of offsets()) offsets(group).set(partition, each)
    await answered(start(group))
    expect(stands(group)).toEqual(['0: 0 n=0 pos=0', '1: 0 n=0 pos=0'])
    expect(stands()[0]).toBe(`0: 5 n=3 pos=${third()}`)
  })

  test("the archive's log too, on a topic without barriers", async () => {
    const log = world.broker.offsets('demo.archive-log', 'demo.engine.outputs')
    log.set(0, { offset: 1n, metadata: `n=0 pos=${first()} note=1000:ab` })
    await answered(start('archive-log'))
    expect([...log]).toEqual([[0, { offset: 0n, metadata: 'n=0 pos=0' }]])
  })

  test('from an offset that is no reader’s, but only to the first record', async () => {
    offsets().set(1, { offset: 2n, metadata: 'by hand' })
    await expect(world.run(back(first()))).rejects.toMatchObject({
      code: 'replay-place-unknown',
      message: expect.stringContaining('partition 1 of demo.user.outputs'),
    })
    await answered(start())
    expect(stands()).toEqual(['0: 0 n=0 pos=0', '1: 0 n=0 pos=0'])
  })
})

describe('the same id again', () => {
  test('sets nothing that was set: the group may have read on', async () => {
    await world.run(back(first()), { waitMs: 0 })
    const set = stands()
    expect((await answered(back(first()))).out).toContain('it was set before, or has read on; nothing was set now')
    expect(stands()).toEqual(set)
    world.settled()
    const further = stands()
    expect((await world.run(back(first()))).exitCode).toBe(0)
    expect(stands()).toEqual(further)
    expect(world.sent()).toHaveLength(1)
  })

  test('tells the answer although the services run again', async () => {
    await world.run(back(first()), { waitMs: 0 })
    const membership = await world.broker.client().join({
      group: 'demo.settle',
      topic: 'demo.user.outputs',
      onAssignment: () => {},
      onFailure: () => {},
    })
    expect(await answered(back(first()))).toMatchObject({ exitCode: 0, out: expect.stringContaining('done: noted') })
    await membership.leave()
  })

  test('sets what a process that was killed before it left undone', async () => {
    let killed = true
    const cut = new OperatorWorld({
      network: ({ kind }) => (killed && kind === 'set-offsets' ? 'request-lost' : 'delivered'),
    })
    world = cut
    cut.output({})
    cut.settled()
    await expect(cut.run(start())).rejects.toMatchObject({
      code: 'replay-not-set',
      message: expect.stringContaining('--id c-1'),
    })
    killed = false
    expect((await answered(start())).out).toContain('group demo.settle is set')
    expect(stands()).toEqual(['0: 0 n=0 pos=0', '1: 0 n=0 pos=0'])
    expect(cut.sent()).toHaveLength(1)
  })

  test('with other arguments is a mistake', async () => {
    await world.run(back(first()), { waitMs: 0 })
    await expect(world.run(start())).rejects.toMatchObject({ code: 'id-taken' })
  })
})

describe('is refused, and nothing is sent or set', () => {
  const refusal = async (request: ReturnType<typeof back>): Promise<string> => {
    const before = stands()
    const error = await world.run(request).then(
      () => expect.fail('it was done'),
      (each: { readonly code: string; readonly message: string }) => each,
    )
    expect([world.sent(), stands()]).toEqual([[], before])
    return `${error.code}: ${error.message}`
  }

  test('while the group has members: they are named', async () => {
    const membership = await world.broker.client('demo.settle@a').join({
      group: 'demo.settle',
      topic: 'demo.user.outputs',
      onAssignment: () => {},
      onFailure: () => {},
    })
    expect(await refusal(start())).toMatch(/^replay-group-busy: .* 1 members: demo\.settle@a at memory\. Stop them all/)
    await membership.leave()
    expect((await world.run(start(), dry)).exitCode).toBe(0)
  })

  test('before the first barrier', async () => {
    expect(await refusal(back(pos(first() - 1n)))).toMatch(/^replay-no-barrier: .*--to start$/)
  })

  test('forward, which would leave records out: what is as far as it goes is told', async () => {
    offsets().set(1, { offset: 3n, metadata: `n=2 pos=${second()}` })
    expect(await refusal(back(third()))).toMatch(
      new RegExp(`^replay-forward: .*come to n=2 of demo.user.outputs, partition 1; .*--to ${second()}$`),
    )
    offsets().set(1, { offset: 0n, metadata: 'n=0 pos=0' })
    expect(await refusal(back(first()))).toMatch(/^replay-forward: .*Only --to start goes back$/)
  })

  test('to where it stands', async () => {
    expect(await refusal(back(third()))).toMatch(/^replay-of-nothing: /)
    await world.run(start(), { waitMs: 0, id: 'c-0' })
    await expect(world.run(start())).rejects.toMatchObject({ code: 'replay-of-nothing' })
  })

  test('to the first record of a topic that was cut', async () => {
    world.broker.log('demo.user.outputs', 1).trim(2n)
    expect(await refusal(start())).toMatch(/^replay-trimmed: .*partition 1 begins at offset 2/)
  })

  test('to a barrier that does not stand in all partitions', async () => {
    const { value } = world.broker.log('demo.user.outputs', 1).tail(1, 2n)[0] as { readonly value: Buffer }
    world.broker.log('demo.user.outputs', 1).trim(5n)
    world.broker.put('demo.user.outputs', 1, { value })
    offsets().set(1, { offset: 7n, metadata: `n=1 pos=${first()}` })
    expect(await refusal(back(second()))).toMatch(
      /^replay-torn-barrier: the barrier at pos \d+ is n=2 of .*partition 1/,
    )
  })

  test('to the middle of an archive: it goes on at the edges of its windows only', async () => {
    expect(await refusal(back(second(), 'archive'))).toMatch(/^replay-archive-start: .*--to start only/)
  })
})
