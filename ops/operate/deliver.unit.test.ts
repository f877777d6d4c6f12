import { describe, expect, test } from 'vitest'
import { pos } from '../../core/ids.ts'
import { Stop } from '../../runtime/stop.ts'
import { encodeCommandRecord } from '../../schemas/codec.ts'
import { obedient, OperatorWorld, refusing, session } from '../testing/operator-world.ts'
import { gapRequest } from './gap.ts'

const standing = (options: ConstructorParameters<typeof OperatorWorld>[0] = {}): OperatorWorld => {
  const world = new OperatorWorld(options)
  world.output({})
  return world
}
const request = gapRequest({ after: { ...session, seq: 1n } })

/** Runs with a bridge beside it. */
const withBridge = async <T>(
  world: OperatorWorld,
  decide: Parameters<OperatorWorld['bridge']>[0],
  work: () => Promise<T>,
): Promise<T> => {
  const over = new AbortController()
  const bridge = world.bridge(decide, over.signal)
  try {
    return await work()
  } finally {
    over.abort()
    await bridge
  }
}
const stopOf = async (run: Promise<unknown>): Promise<Stop> => {
  const error = await run.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof Stop) return error
  throw new Error(`no Stop, but ${String(error)}`)
}

describe('the answer', () => {
  test('of a bridge that does it: exit 0', async () => {
    const world = standing()
    const shown = await withBridge(world, obedient, () => world.run(request))
    expect(shown).toMatchObject({ exitCode: 0, err: 'settle test: sending command c-1' })
    expect(shown.out).toContain('done: after 7/42/1 the log goes on from 7/42/1/abab')
    expect(world.sent()).toMatchObject([
      { kind: 'Gap', command: { id: 'c-1', who: 'ann', why: 'INC-1' }, after: world.at, to: null },
    ])
  })

  test('of a bridge that refuses: exit 3 with its reason', async () => {
    const world = standing()
    const shown = await withBridge(world, refusing, () => world.run(request))
    expect(shown.exitCode).toBe(3)
    expect(shown.out).toContain('REFUSED by the bridge: not needed')
  })

  test('of nobody: exit 1, where the command stands and how to look again', async () => {
    const world = standing()
    const shown = await world.run(request, { waitMs: 3000 })
    expect(shown.exitCode).toBe(1)
    expect(shown.out).toContain('no answer within 3000 ms. Command c-1 stands in the topic (offset 0)')
    expect(shown.out).toContain('the same command with --id c-1')
    expect(world.clock.monotonicMs()).toBeGreaterThanOrEqual(3000)
  })

  test('is not waited for with --wait-ms 0: exit 0', async () => {
    const world = standing()
    const shown = await world.run(request, { waitMs: 0 })
    expect(shown.exitCode).toBe(0)
    expect(shown.out).toContain('nobody waited for an answer')
    expect(world.sent()).toHaveLength(1)
  })

  test("is another command's: it is passed over", async () => {
    const world = standing()
    const command = { id: 'c-0', who: 'bob', why: 'x', time: 1n }
    const beside: typeof refusing = record => {
      world.log({ kind: 'Refused', command, reason: 'of another' })
      return refusing(record)
    }
    const shown = await withBridge(world, beside, () => world.run(request))
    expect(shown.out).toContain('not needed')
  })

  test('is waited for while Kafka fails in passing', async () => {
    let lost = 0
    const world = standing({
      network: ({ kind, client, target }) => {
        const isWaiting = kind === 'fetch' && client !== 'bridge' && target === 'demo.engine.outputs'
        if (!isWaiting || world.sent().length === 0 || lost === 2) return 'delivered'
        lost++
        return 'request-lost'
      },
    })
    const shown = await withBridge(
      world,
      command => (lost === 2 ? obedient(command) : null),
      () => world.run(request),
    )
    expect(lost).toBe(2)
    expect(shown.exitCode).toBe(0)
  })
})

describe('the same id again', () => {
  test.each([
    ['done', obedient, 0],
    ['refused', refusing, 3],
  ] as const)(
    'tells the answer that was given, sends nothing, and looks at nothing else: %s',
    async (_, decide, code) => {
      const world = standing()
      await withBridge(world, decide, () => world.run(request))
      for (let i = 0; i < 5; i++) world.output({})
      // Where the log stands now, the command would be refused before it is sent.
      const shown = await world.run(request, { who: 'bob' })
      expect(shown.exitCode).toBe(code)
      expect(shown.out).toContain('command c-1 was sent before, by ann')
      expect(world.sent()).toHaveLength(1)
    },
  )

  test('waits when no bridge has come to it yet', async () => {
    const world = standing()
    expect((await world.run(request, { waitMs: 100 })).exitCode).toBe(1)
    expect((await world.run(request, { waitMs: 0 })).exitCode).toBe(1)
    const shown = await withBridge(world, obedient, () => world.run(request))
    expect(shown.exitCode).toBe(0)
    expect(world.sent()).toHaveLength(1)
  })

  test('with other contents is a mistake: exit 2, and nothing is sent', async () => {
    const world = standing()
    await world.run(request, { waitMs: 0 })
    const other = gapRequest({ after: { ...session, seq: 1n }, to: { ...world.at, seq: 9n } })
    const stop = await stopOf(world.run(other))
    expect(stop).toMatchObject({ code: 'id-taken', reason: 'usage' })
    expect(stop.message).toContain('--id c-1 was used before for another command: a Gap of ann ("INC-1")')
    expect(world.sent()).toHaveLength(1)
  })
})

describe('a send that fails', () => {
  test('before it begins says that nothing was sent', async () => {
    const world = standing({ network: ({ kind }) => (kind === 'init-producer' ? 'request-lost' : 'delivered') })
    expect(await stopOf(world.run(request))).toMatchObject({ code: 'command-unsent', reason: 'failed' })
    expect(world.sent()).toEqual([])
  })

  test('with its answer lost says that nobody can tell; the same id then finds it', async () => {
    let lose = true
    const world = standing({
      network: ({ kind }) => (lose && kind === 'end-transaction' ? 'answer-lost' : 'delivered'),
    })
    const stop = await stopOf(world.run(request))
    expect(stop).toMatchObject({ code: 'command-unknown', reason: 'failed', context: { id: 'c-1' } })
    expect(stop.message).toContain('run the same command again with --id c-1')
    lose = false
    const shown = await withBridge(world, obedient, () => world.run(request))
    expect(shown.exitCode).toBe(0)
    expect(world.sent()).toHaveLength(1)
  })

  test('before it took hold is sent by the same id', async () => {
    let lose = true
    const world = standing({
      network: ({ kind }) => (lose && kind === 'end-transaction' ? 'request-lost' : 'delivered'),
    })
    expect(await stopOf(world.run(request))).toMatchObject({ code: 'command-unknown' })
    lose = false
    const shown = await withBridge(world, obedient, () => world.run(request))
    expect(shown.exitCode).toBe(0)
    expect(world.sent()).toHaveLength(1)
  })

  test('and takes hold only while the next one looks is not sent twice', async () => {
    let lose = true
    const world = standing({
      markerDelayMs: () => 5000,
      network: ({ kind }) => (lose && kind === 'end-transaction' ? 'answer-lost' : 'delivered'),
    })
    expect(await stopOf(world.run(request))).toMatchObject({ code: 'command-unknown' })
    expect(world.sent()).toEqual([])
    lose = false
    // Long enough for a second one to take hold, too.
    await world.run(request, { waitMs: 20_000 })
    expect(world.sent()).toHaveLength(1)
  })

  test('because another settle began says so', async () => {
    const world = standing({
      network: ({ kind, client }) => {
        if (kind === 'produce' && client === 'client-1') void world.broker.producer('demo.commands').init()
        return 'delivered'
      },
    })
    const stop = await stopOf(world.run(request))
    expect(stop.message).toContain('another settle command of this stream began meanwhile')
    expect(stop.message).toContain('--id c-1')
    expect(world.sent()).toEqual([])
  })
})

describe('another command', () => {
  test('for the same that no bridge has come to yet is waited for first', async () => {
    const world = standing()
    await world.run(request, { waitMs: 0 })
    for (const mode of ['send', 'dry-run'] as const) {
      const stop = await stopOf(world.run(request, { id: 'c-2', who: 'bob', mode }))
      expect(stop).toMatchObject({ code: 'command-waits', reason: 'refused', context: { id: 'c-1' } })
      expect(stop.message).toContain('command c-1 of ann ("INC-1"), a Gap for the same, waits for a bridge')
    }
    await withBridge(world, refusing, () => world.run(request))
    expect((await world.run(request, { id: 'c-2', waitMs: 0 })).exitCode).toBe(0)
  })

  test('that was sent while this one was worked out keeps it from being sent', async () => {
    let isFirst = true
    const world = standing({
      network: ({ kind, client }) => {
        if (kind !== 'init-producer' || client !== 'client-1' || !isFirst) return 'delivered'
        isFirst = false
        const value = encodeCommandRecord({
          kind: 'Admit',
          command: { id: 'c-9', who: 'bob', why: 'x', time: 1n },
          refusedPos: pos(5n),
        })
        world.broker.put('demo.operator.commands', 0, { value })
        return 'delivered'
      },
    })
    const stop = await stopOf(world.run(request))
    expect(stop).toMatchObject({ code: 'command-unsent', reason: 'failed' })
    expect(stop.message).toContain('another command was sent meanwhile')
    expect(world.sent()).toHaveLength(1)
    expect((await world.run(request, { waitMs: 0 })).exitCode).toBe(0)
  })
})

test('a dry run sends nothing and fences nobody', async () => {
  const world = standing({
    network: ({ kind }) => {
      if (kind === 'init-producer') throw new Error('a dry run opens no writer')
      return 'delivered'
    },
  })
  const shown = await world.run(request, { mode: 'dry-run' })
  expect(shown).toMatchObject({ exitCode: 0, err: '' })
  expect(shown.out).toContain('dry run, nothing was sent')
  expect(world.sent()).toEqual([])
})

test('JSON tells the command, what it rests on, and the answer', async () => {
  const world = standing()
  const shown = await withBridge(world, obedient, () => world.run(request, { format: 'json' }))
  expect(JSON.parse(shown.out)).toMatchObject({
    stream: 'demo',
    sent: 'now',
    command: { kind: 'Gap', command: { id: 'c-1', who: 'ann' }, to: null },
    facts: { lostOutputs: null },
    answer: { kind: 'Gap', pos: '1700000000002000' },
  })
})

test('a stream that is not there is told', async () => {
  const world = standing()
  world.broker.deleteTopic('demo.operator.commands')
  expect(await stopOf(world.run(request))).toMatchObject({ code: 'topic-missing', reason: 'refused' })
})
