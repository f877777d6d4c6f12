import { describe, expect, test } from 'vitest'
import type { Command, CommandRecord, EnginePosition, LogRecord } from '../core/events.ts'
import { amount, assetId, pos, userId, version } from '../core/ids.ts'
import type { CommittedOffset } from '../runtime/kafka/port.ts'
import type { BrokerRequest } from '../runtime/kafka/testing/memory-broker.ts'
import { restoreMark } from '../runtime/restore-mark.ts'
import { eventually } from '../runtime/testing/eventually.ts'
import { check, names, type Running, World } from './testing/bridge-world.ts'

const command = (id: string): Command => ({ id, who: 'ops', why: 'ticket 4', time: 5n })
const correct = (id: string): CommandRecord => ({
  kind: 'Correct',
  command: command(id),
  correction: {
    user: userId(7n),
    asset: assetId(1),
    version: version(3n),
    available: amount(9n),
    frozen: amount(0n),
    deltaAvailable: amount(4n),
    deltaFrozen: amount(0n),
  },
})
const answers = (world: World): LogRecord[] => world.records.filter(record => 'command' in record)
const told = (world: World): string[] =>
  answers(world).map(record =>
    'command' in record
      ? `${record.command.id} ${record.kind}${record.kind === 'Refused' ? ` ${record.reason}` : ''}`
      : '',
  )
const answered = (world: World, count: number): Promise<void> =>
  eventually(`${count} commands are answered`, async () => {
    await world.clock.sleep(20)
    return answers(world).length >= count
  })
const offset = (world: World): bigint | undefined =>
  world.broker.offsets(names.groups.bridge, names.topics.commands).get(0)?.offset
const at = (world: World, seq: number): EnginePosition => world.engine.journal[seq - 1]?.at as EnginePosition

describe('a command', () => {
  test('is answered once, who and why are kept, and its offset moves with its answer', async () => {
    const world = new World()
    const { stop } = world.bridge()
    await world.publishAll()
    await world.command(correct('c1'))
    await world.command({ kind: 'Admit', command: command('c2'), refusedPos: pos(world.records[4]?.pos ?? 0n) })
    await answered(world, 2)
    await stop()
    const place = { at: at(world, 40) }
    expect(answers(world)).toMatchObject([
      { ...place, ...correct('c1'), kind: 'Correction' },
      { ...place, kind: 'Admit', command: command('c2'), refusedPos: world.records[4]?.pos },
    ])
    expect(offset(world)).toBe(3n)
    check(world)
  })

  test('that was sent before any bridge ran is answered by the first, before outputs that come later', async () => {
    const world = new World()
    await world.command(correct('early'))
    const { stop } = world.bridge()
    await world.publishAll()
    await answered(world, 1)
    await stop()
    check(world)
  })

  test('that is still on its way when the term ends does not hold it up, and is answered in the next', async () => {
    const asked = Promise.withResolvers<void>()
    const latencyMs = ({ kind, target }: BrokerRequest): number => {
      if (kind !== 'fetch' || target !== names.topics.commands) return 0
      asked.resolve()
      return 100
    }
    const world = new World({ broker: { latencyMs } })
    await world.command(correct('early'))
    const first = world.bridge()
    await asked.promise
    await first.stop()
    expect(told(world)).toEqual([])
    const second = world.bridge()
    await world.publishAll()
    await answered(world, 1)
    await second.stop()
    check(world)
  })

  test('sent twice acts once, also when another bridge, or a later term, reads the second', async () => {
    const world = new World()
    const first = world.bridge()
    await world.publishAll()
    await world.command(correct('once'))
    await answered(world, 1)
    await first.stop()
    const second = world.bridge()
    await world.command(correct('once'))
    await world.command(correct('other'))
    await answered(world, 3)
    await second.stop()
    const seen = 'a command of id once was seen before; an id acts once'
    expect(told(world)).toEqual(['once Correction', `once Refused ${seen}`, 'other Correction'])
  })

  test('whose answer is lost on its way is not answered again', async () => {
    let losing = false
    const world = new World({
      broker: { network: ({ kind }) => (losing && kind === 'end-transaction' ? 'answer-lost' : 'delivered') },
    })
    const { stop } = world.bridge()
    await world.publishAll()
    losing = true
    await world.command(correct('c1')).catch(() => {})
    await answered(world, 1)
    losing = false
    await world.command(correct('c2'))
    await answered(world, 2)
    await world.clock.sleep(5000)
    await stop()
    expect(told(world)).toEqual(['c1 Correction', 'c2 Correction'])
    check(world)
  })

  test('that nobody can read, or that admits what is not there, is refused and does not stop the stream', async () => {
    const world = new World()
    const { stop } = world.bridge()
    await world.publishAll()
    await world.command(Buffer.from('noise'))
    await world.command({ kind: 'Admit', command: command('far'), refusedPos: pos(2n ** 62n) })
    await answered(world, 2)
    await stop()
    expect(told(world)[0]).toMatch(/^offset-0 Refused offset 0 of operator.commands: /)
    expect(told(world)[1]).toMatch(/^far Refused no record has pos 4611686018427387904; the log ends at \d+$/)
    check(world)
  })
})

describe('what the log keeps for others', () => {
  test('is written as asked: a redrive with its user, a note with its text', async () => {
    const world = new World()
    const { stop } = world.bridge()
    await world.publishAll()
    await world.command({ kind: 'Redrive', command: command('r1'), user: userId(7n) })
    await world.command({ kind: 'Note', command: command('n1'), text: 'replay of load' })
    await answered(world, 2)
    await stop()
    const place = { at: at(world, 40) }
    expect(answers(world)).toMatchObject([
      { ...place, kind: 'Redrive', command: command('r1'), user: 7n },
      { ...place, kind: 'Note', command: command('n1'), text: 'replay of load' },
    ])
    expect(offset(world)).toBe(3n)
    check(world)
  })

  test('is written once for an id', async () => {
    const world = new World()
    const { stop } = world.bridge()
    await world.publishAll()
    for (const user of [7n, 8n]) await world.command({ kind: 'Redrive', command: command('r1'), user: userId(user) })
    await answered(world, 2)
    await stop()
    expect(told(world)).toEqual(['r1 Redrive', 'r1 Refused a command of id r1 was seen before; an id acts once'])
    check(world)
  })
})

describe('a Gap', () => {
  const gap = (world: World, id: string, { after = 0, to = null as EnginePosition | null } = {}): CommandRecord => ({
    kind: 'Gap',
    command: command(id),
    after: after === 0 ? { epoch: 0n, random: 0n, seq: 0n, chain: Buffer.alloc(32) } : at(world, after),
    to,
  })
  const lost = ({ trimmed }: { readonly trimmed: number }): World => {
    const world = new World({ engine: { trimmed } })
    world.engine.published = 40
    return world
  }
  const outputs = (world: World): readonly LogRecord[] => world.records.filter(record => 'output' in record)

  test('lets the log go on where the engine can, and says what is lost', async () => {
    const world = lost({ trimmed: 15 })
    await expect(world.bridge().done).rejects.toMatchObject({
      code: 'trimmed',
      message: expect.stringContaining('settle gap --after 0/0/0'),
    })
    await world.command(gap(world, 'g1'))
    const { stop } = world.bridge()
    await answered(world, 1)
    await eventually('everything that is left is acknowledged', () => world.engine.acked.at(-1) === 40n)
    await stop()
    expect(answers(world)).toMatchObject([{ kind: 'Gap', at: at(world, 15), lostAfter: { epoch: 0n, seq: 0n } }])
    expect(outputs(world).map(({ at }) => at.seq)).toEqual(Array.from({ length: 25 }, (_, i) => BigInt(i + 16)))
    expect(world.records[0]?.kind).toBe('Gap')
    expect(offset(world)).toBe(1n)
  })

  test('is refused when it was meant for another place, or when nothing is lost', async () => {
    const world = new World()
    world.engine.publish(10)
    const { bridge, stop } = world.bridge()
    await eventually('it leads', () => bridge.health()['seq'] === 10n)
    await world.command(gap(world, 'elsewhere', { after: 9 }))
    await world.command(gap(world, 'needless', { after: 10 }))
    await world.clock.sleep(1000)
    world.engine.publish(2)
    await answered(world, 2)
    await stop()
    expect(told(world)).toEqual([
      'elsewhere Refused it was meant after session 1/7 seq 9, but the log stands at session 1/7 seq 10',
      'needless Refused nothing is lost: the engine delivered session 1/7 seq 11',
    ])
  })

  test('is refused when no stop comes that it could be for', async () => {
    const world = new World()
    world.engine.publish(10)
    const { bridge, stop } = world.bridge()
    await eventually('it leads', () => bridge.health()['seq'] === 10n)
    await world.command(gap(world, 'idle', { after: 10 }))
    await answered(world, 1)
    await stop()
    expect(told(world)[0]).toMatch(/^idle Refused in 30000 ms the engine did not say that anything .* is lost$/)
  })

  test('is refused when it would go back', async () => {
    const world = new World()
    world.engine.publish(10)
    const { bridge, stop } = world.bridge()
    await eventually('it leads', () => bridge.health()['seq'] === 10n)
    await world.command(gap(world, 'back', { after: 10, to: at(world, 8) }))
    await world.command(gap(world, 'stay', { after: 10, to: at(world, 10) }))
    await answered(world, 2)
    await stop()
    expect(told(world)).toEqual([
      'back Refused session 1/7 seq 8 lies before session 1/7 seq 10',
      'stay Refused session 1/7 seq 10 is where the log stands: nothing is given up',
    ])
  })

  test('is the way on for an engine that can not replay', async () => {
    const world = new World({ engine: { replays: false, loses: n => n === 5 || n === 6 } })
    const running: Running = world.bridge()
    await eventually('it leads', () => running.bridge.health()['state'] === 'leading')
    world.engine.publish(2)
    await eventually('the clock is proven', () => running.bridge.health()['seq'] === 2n)
    world.engine.publish(5)
    await expect(running.done).rejects.toMatchObject({ code: 'gap-without-replay' })
    // What was taken before the gap is written first, so that the operator finds the log where the stop says it is.
    expect(outputs(world).at(-1)?.at.seq).toBe(4n)
    await world.command(gap(world, 'g1', { after: 4 }))
    const { stop } = world.bridge()
    await eventually('it is accepted', async () => {
      world.engine.beat()
      await world.clock.sleep(100)
      return answers(world).length > 0
    })
    world.engine.publish(3)
    await eventually('it goes on', () => outputs(world).at(-1)?.at.seq === 10n)
    await stop()
    expect(answers(world)).toMatchObject([{ kind: 'Gap', at: at(world, 7), lostAfter: at(world, 4) }])
  })

  test('is found by a stop that is met before the command was read', async () => {
    const slow = ({ kind, target }: BrokerRequest) => kind === 'fetch' && target === names.topics.commands
    const world = new World({
      engine: { replays: false, loses: n => n === 4 },
      broker: { latencyMs: request => (slow(request) ? 500 : 0) },
    })
    const first = world.bridge()
    await eventually('it leads', () => first.bridge.health()['state'] === 'leading')
    world.engine.publish(2)
    await eventually('the clock is proven', () => first.bridge.health()['seq'] === 2n)
    world.engine.publish(3)
    await expect(first.done).rejects.toMatchObject({ code: 'gap-without-replay' })
    await world.command(gap(world, 'g1', { after: 3 }))
    const { stop } = world.bridge()
    await eventually('it is accepted', async () => {
      world.engine.beat()
      await world.clock.sleep(100)
      return answers(world).length > 0
    })
    await stop()
    expect(answers(world)).toMatchObject([{ kind: 'Gap', at: at(world, 5), lostAfter: at(world, 3) }])
  })
})

describe('a log whose restore was cut', () => {
  test('is not gone on from; once the restore is done it is', async () => {
    const world = new World()
    const offsets = world.broker.offsets(names.groups.bridge, names.topics.commands)
    const first = offsets.get(0) as CommittedOffset
    offsets.set(0, { ...first, metadata: restoreMark.begun })
    world.engine.publish(3)
    await expect(world.bridge().done).rejects.toMatchObject({ code: 'log-half-restored', reason: 'refused' })
    expect(world.records).toEqual([])
    offsets.set(0, { ...first, metadata: restoreMark.done })
    const { stop } = world.bridge()
    await world.publishAll()
    await stop()
    check(world)
  })
})
