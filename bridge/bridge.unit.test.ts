import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { LogRecord } from '../core/events.ts'
import { pos as asPos } from '../core/ids.ts'
import type { Clock } from '../runtime/clock.ts'
import type { BrokerRequest } from '../runtime/kafka/testing/memory-broker.ts'
import { eventually } from '../runtime/testing/eventually.ts'
import { nextChain } from '../schemas/chain.ts'
import { decodeEngineOutput, encodeLogRecord } from '../schemas/codec.ts'
import type { BridgeSettings } from './bridge.ts'
import { limits } from './limits.ts'
import type { OutFrame } from './testing/memory-engine.ts'
import { check, names, type Running, World } from './testing/bridge-world.ts'

let world: World
beforeEach(() => {
  world = new World()
})

/** What a bridge ended with; throws when it goes on. */
const endOf = async ({ done }: Pick<Running, 'done'>): Promise<unknown> => {
  let end: unknown
  done.catch((error: unknown) => (end = error))
  await eventually('it has stopped', () => end !== undefined)
  return end
}
const out = (seq: number): OutFrame => world.engine.journal[seq - 1] as OutFrame
/** The output after that one, its chain in order, but no Avro of ours. */
const unreadable = ({ at }: OutFrame): OutFrame => {
  const payload = Buffer.from('noise')
  return { kind: 'OUT', at: { ...at, seq: at.seq + 1n, chain: nextChain(at.chain, payload) }, payload }
}
const noise = [Buffer.from('OUT'), Buffer.alloc(3), Buffer.from('noise')]
/** Until the log holds the third output, and the clock is proven. */
const atThree = async (bridge: Running['bridge']): Promise<void> => {
  await eventually('it leads', () => bridge.health()['state'] === 'leading')
  world.engine.publish(3)
  await eventually('it has taken three', () => bridge.health()['seq'] === 3n)
}

describe('a bridge', () => {
  test('brings every output of a lossy engine into the log, behind its Session, and acknowledges all', async () => {
    const { bridge, stop } = world.bridge()
    await world.publishAll()
    expect(bridge.health()).toMatchObject({ ok: true, state: 'leading', epoch: 1n, seq: 40n })
    await stop()
    expect(bridge.health()).toMatchObject({ ok: false, state: 'stopped' })
    check(world)
    expect(world.records.slice(0, 3).map(({ kind }) => kind)).toEqual(['Session', 'Reference', 'Output'])
    expect(world.records.at(-1)?.at).toEqual(world.engine.journal.at(-1)?.at)
  })

  test('acknowledges nothing that is not committed', async () => {
    const committing = { now: false, early: 0 }
    world = new World({
      broker: {
        latencyMs: () => 2,
        network: ({ kind }) => {
          if (kind === 'begin-transaction') committing.now = true
          if (kind === 'end-transaction') committing.now = false
          return 'delivered'
        },
      },
    })
    world.engine.onAck = seq => {
      const last = world.records.at(-1)?.at.seq ?? 0n
      if (last < seq) committing.early++
    }
    const { stop } = world.bridge()
    await world.publishAll()
    await stop()
    expect(committing.early).toBe(0)
    expect(world.engine.acked.length).toBeGreaterThan(2)
  })

  test('lets few outputs come together between one transaction and the next', async () => {
    const gatherMs = 30
    const begun: number[] = []
    world = new World({
      broker: {
        network: ({ kind }) => {
          if (kind === 'begin-transaction') begun.push(world.clock.monotonicMs())
          return 'delivered'
        },
      },
    })
    const { stop } = world.bridge({ gatherMs })
    await world.publishAll()
    await stop()
    check(world)
    // The first writes the Session; it tells a timer's millisecond from the clock's.
    const gaps = begun.slice(1, -1).map((atMs, index) => atMs - (begun[index] as number) + 1)
    expect(gaps.length).toBeGreaterThan(2)
    expect(gaps.filter(gapMs => gapMs < gatherMs)).toEqual([])
  })

  test('acknowledges again after a start what was durable before', async () => {
    const first = world.bridge()
    await world.publishAll()
    await first.stop()
    world.engine.acked.length = 0
    const second = world.bridge()
    await eventually('it is acknowledged', () => world.engine.acked.at(-1) === 40n)
    await second.stop()
    check(world)
  })

  test('says the last ACK again and again while nothing comes: one that was lost holds up the engine', async () => {
    const { stop } = world.bridge()
    await world.publishAll()
    world.engine.acked.length = 0
    await eventually('it was said again', () => world.engine.acked.length >= 3)
    await stop()
    expect(new Set(world.engine.acked)).toEqual(new Set([40n]))
  })

  test('writes what was taken before a stop', async () => {
    world = new World({ broker: { latencyMs: () => 5 }, engine: { loses: () => false } })
    const running = world.bridge()
    await atThree(running.bridge)
    // All of these are taken while the first commit is under way, the stop too.
    world.engine.publish(20)
    world.engine.send(unreadable(out(23)))
    expect(await endOf(running)).toMatchObject({ code: 'undecodable-output' })
    expect(world.records.at(-1)?.at).toEqual(out(23).at)
  })

  test('reads no further than its queue goes while nothing can be written', async () => {
    world = new World({ outputs: limits.queueCount + 3000, engine: { loses: () => false } })
    const { bridge, kafka, stop } = world.bridge()
    await atThree(bridge)
    kafka.freeze()
    world.engine.publish(world.engine.journal.length)
    const queued = (): number => bridge.health()['queued'] as number
    await eventually('the queue is full', () => queued() >= limits.queueCount)
    await world.clock.sleep(1000)
    // What was being received when it filled up is added.
    expect(queued()).toBeLessThanOrEqual(limits.queueCount + 2)
    kafka.thaw()
    await world.publishAll()
    await stop()
    check(world)
  })

  test('hears the engine’s clock though its queue is full', async () => {
    let offUs = -60_000_000n
    const { loses, clockUs } = { loses: () => false, clockUs: () => world.clock.nowUs() + offUs }
    world = new World({ outputs: limits.queueCount + 3000, engine: { loses, clockUs } })
    const { bridge, stop } = world.bridge()
    await eventually('it leads', () => bridge.health()['state'] === 'leading')
    world.engine.publish(world.engine.journal.length)
    await eventually('the queue is full', () => (bridge.health()['queued'] as number) >= limits.queueCount)
    // Nothing may be stamped yet: the only heartbeat so far was held up for a minute.
    expect(world.values).toEqual([])
    offUs = 0n
    await world.publishAll()
    await stop()
    check(world)
  })

  test('stamps nothing by the clock of a stranger', async () => {
    const one = world.bridge()
    await atThree(one.bridge)
    await one.stop()
    // So long that the next stamp needs proof; and the engine is gone.
    await world.clock.sleep(400_000)
    world.engine.published = 0
    const before = world.values.length
    const two = world.bridge()
    for (let i = 0; i < 20; i++) {
      world.engine.send({ kind: 'HBT', at: { ...out(3).at, random: 99n }, clockUs: world.clock.nowUs() })
      await world.clock.sleep(5000)
    }
    expect(two.bridge.health()['state']).toBe('leading')
    expect(world.values.length).toBe(before)
    world.engine.published = 3
    await eventually('it ticks', async () => {
      world.engine.beat()
      await world.clock.sleep(1000)
      return world.values.length > before
    })
    await two.stop()
  })

  test('a malformed live message is dropped, and what it stood for is replayed', async () => {
    const { bridge, stop } = world.bridge()
    await atThree(bridge)
    // It was the fourth, of which no heartbeat tells.
    world.engine.published = 4
    world.engine.say('live', noise)
    await eventually('the fourth is there', () => world.engine.acked.at(-1) === 4n)
    await world.publishAll()
    await stop()
    check(world)
  })

  test('writes a Tick when nothing else comes, that carries where the log stands', async () => {
    const { stop } = world.bridge({ tickMs: 1000 })
    await world.publishAll()
    const before = world.records.length
    await eventually('it ticked', () => world.records.length >= before + 3)
    await stop()
    const ticks = world.records.slice(before)
    expect(new Set(ticks.map(({ kind }) => kind))).toEqual(new Set(['Tick']))
    for (const { at } of ticks) expect(at).toEqual(world.engine.journal.at(-1)?.at)
    const steps = ticks.slice(1).map(({ pos }, i) => pos - (ticks[i]?.pos ?? 0n))
    for (const step of steps) expect(step).toBeGreaterThanOrEqual(1_000_000n)
    check(world)
  })

  test('stamps above the last pos though the clock went back', async () => {
    const first = world.bridge()
    world.engine.publish(20)
    await eventually('half is there', () => (world.engine.acked.at(-1) ?? 0n) >= 20n)
    await first.stop()
    const last = world.records.at(-1)?.pos ?? 0n
    const { clock } = world
    const behind: Clock = {
      nowUs: () => clock.nowUs() - 3_600_000_000n,
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
    }
    const second = world.bridge({}, behind)
    await world.publishAll()
    await second.stop()
    check(world)
    expect(world.records.at(-1)?.pos).toBe(last + 20n)
  })
})

describe('the clock', () => {
  const hourUs = 3_600_000_000n
  /** Our own clock, off by what `off` says; the engine's and the broker's are right. */
  const offBy = (off: { us: bigint }): Clock => ({
    nowUs: () => world.clock.nowUs() + off.us,
    monotonicMs: () => world.clock.monotonicMs(),
    sleep: (ms, signal) => world.clock.sleep(ms, signal),
  })

  test('after an outage of an hour moves pos by an hour, once engine and broker have been asked', async () => {
    const first = world.bridge()
    world.engine.publish(20)
    await eventually('half is there', () => (world.engine.acked.at(-1) ?? 0n) >= 20n)
    await first.stop()
    await world.clock.sleep(3_600_000)
    const second = world.bridge()
    await world.publishAll()
    await second.stop()
    check(world)
    const positions = world.records.map(({ pos }) => pos)
    const jumps = positions.slice(1).map((pos, i) => pos - (positions[i] ?? 0n))
    expect(jumps.filter(jump => jump > 60_000_000n)).toHaveLength(1)
    expect((positions.at(-1) ?? 0n) - (positions[0] ?? 0n)).toBeGreaterThan(hourUs)
  })

  test.each([
    ['the first stamp of all', 0],
    ['a later one', 20],
  ])('that is an hour ahead stamps nothing, be it %s', async (_, before) => {
    const off = { us: before === 0 ? hourUs : 0n }
    const { done, bridge } = world.bridge({}, offBy(off))
    world.engine.publish(before)
    if (before > 0) await eventually('half is there', () => bridge.health()['seq'] === 20n)
    const stamped = world.records.length
    off.us = hourUs
    const beating = world.publishAll().catch(() => {})
    await expect(done).rejects.toMatchObject({ code: 'clock-in-doubt', reason: 'refused' })
    expect(world.records.length).toBe(stamped)
    expect(world.records.every(({ pos }) => pos <= world.clock.nowUs())).toBe(true)
    // Whoever takes over, with a clock that is right, goes on.
    const next = world.bridge()
    await beating
    await next.stop()
    check(world)
  })

  test('without an engine that tells its own moves nothing, and what waits is written once it does', async () => {
    const first = world.bridge()
    world.engine.publish(20)
    await eventually('half is there', () => (world.engine.acked.at(-1) ?? 0n) >= 20n)
    await first.stop()
    const before = world.records.length
    await world.clock.sleep(3_600_000)
    world.engine.isMute = true
    const second = world.bridge({ tickMs: 1000 })
    await world.clock.sleep(120_000)
    // Not even a Tick.
    expect(world.records.length).toBe(before)
    expect(second.bridge.health()).toMatchObject({ state: 'leading' })
    world.engine.isMute = false
    await world.publishAll()
    await second.stop()
    check(world)
  })
})

describe('a commit whose end is not known', () => {
  test.each([
    ['was not made', 'request-lost'],
    ['was made', 'answer-lost'],
  ] as const)('and that %s: nothing is lost and nothing doubled', async (_, delivery) => {
    let commits = 0
    const lost = ({ kind }: BrokerRequest) => kind === 'end-transaction' && ++commits % 3 === 2
    world = new World({ broker: { network: request => (lost(request) ? delivery : 'delivered') } })
    const { stop } = world.bridge()
    await world.publishAll()
    await stop()
    check(world)
    expect(commits).toBeGreaterThan(4)
  })
})

describe('of two bridges', () => {
  test('the other goes on when one is cut off; that one finds itself fenced and harms nothing', async () => {
    const one = world.bridge()
    world.engine.publish(10)
    await eventually('one leads', () => one.bridge.health()['seq'] === 10n)
    const two = world.bridge()
    await eventually('two stands by', () => two.bridge.health()['state'] === 'standby')
    one.kafka.freeze()
    // It takes more, and is in the middle of a transaction when the other has taken over.
    world.engine.publish(10)
    await eventually('two leads', () => two.bridge.health()['state'] === 'leading')
    await eventually('two has gone on', () => (world.engine.acked.at(-1) ?? 0n) >= 20n)
    one.kafka.thaw()
    await world.publishAll()
    await eventually('one stands by', () => one.bridge.health()['state'] === 'standby')
    await Promise.all([one.stop(), two.stop()])
    check(world)
  })

  test('what the other commits until it is fenced is not written again', async () => {
    let fences = 0
    const lastCommit = (): void => {
      const pos = asPos((world.records.at(-1)?.pos ?? 0n) + 1n)
      const { at, payload } = out(4)
      const value = encodeLogRecord({ kind: 'Output', pos, at, output: decodeEngineOutput(payload) })
      world.broker.put(names.topics.log, 0, { value })
    }
    world = new World({
      broker: {
        network: ({ kind }) => {
          if (kind === 'init-producer' && ++fences === 2) lastCommit()
          return 'delivered'
        },
      },
    })
    const one = world.bridge()
    await atThree(one.bridge)
    await one.stop()
    const two = world.bridge()
    await world.publishAll()
    await two.stop()
    expect(fences).toBe(2)
    check(world)
  })
})

test('whatever the network does, whoever is cut off, stopped and started: the log is the journal', async () => {
  const delivery = fc.constantFrom(
    'delivered' as const,
    'delivered' as const,
    'request-lost' as const,
    'answer-lost' as const,
  )
  const event = fc.record({
    afterMs: fc.integer({ min: 1, max: 9000 }),
    who: fc.nat(1),
    what: fc.constantFrom('restart', 'freeze', 'thaw', 'rebalance'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(delivery, { maxLength: 150 }),
      fc.array(fc.nat(300), { minLength: 1, maxLength: 20 }),
      fc.array(event, { maxLength: 8 }),
      async (deliveries, delays, events) => {
        let asked = 0
        const delay = (): number => (delays[asked++ % delays.length] ?? 0) / 5
        const network = () => deliveries[asked++] ?? ('delivered' as const)
        // A join or a look at the topics that is lost ends a process, and whoever runs it starts it again.
        const answered = new Set(['join-group', 'describe-topics'])
        world = new World({
          broker: {
            network: request => (answered.has(request.kind) ? 'delivered' : network()),
            latencyMs: delay,
            markerDelayMs: delay,
            rebalanceDelayMs: delay,
            assignmentTurn: () => Math.round(delay()),
          },
        })
        const bridges = [world.bridge(), world.bridge()]
        const publishing = world.publishAll()
        for (const { afterMs, who, what } of events) {
          await Promise.race([world.clock.sleep(afterMs), publishing])
          const bridge = bridges[who] as Running
          if (what === 'freeze') bridge.kafka.freeze()
          if (what === 'thaw') bridge.kafka.thaw()
          if (what === 'rebalance') world.broker.group(names.groups.bridge).rebalance()
          if (what !== 'restart') continue
          bridge.kafka.thaw()
          await bridge.stop()
          bridges[who] = world.bridge()
        }
        for (const { kafka } of bridges) kafka.thaw()
        await publishing
        await Promise.all(bridges.map(bridge => bridge.stop()))
        await world.visible()
        check(world)
      },
    ),
    { numRuns: 60, timeout: 60_000 },
  )
}, 120_000)

describe('a bridge refuses', () => {
  const refusal = (over: Partial<BridgeSettings> = {}): Promise<unknown> => endOf(world.bridge(over))

  test('a topic that is not there, or has more than one partition', async () => {
    world.broker.deleteTopic(names.topics.log)
    expect(await refusal()).toMatchObject({ code: 'topic-missing', reason: 'refused' })
    world.broker.addTopic({ topic: names.topics.log, partitions: 2 })
    expect(await refusal()).toMatchObject({
      code: 'topic-partitions',
      message: `topic ${names.topics.log} has 2 partitions; it must have 1`,
    })
  })

  test('batches that the topic would not take', async () => {
    expect(await refusal({ batchBytes: 8_388_608 })).toMatchObject({
      code: 'batch-bytes',
      message: expect.stringContaining('max.message.bytes=8388608'),
    })
  })

  test('an output that is too large', async () => {
    const running = world.bridge({ maxOutputBytes: 10 })
    world.engine.publish(3)
    expect(await endOf(running)).toMatchObject({
      code: 'oversized-output',
      message: expect.stringContaining('over MAX_OUTPUT_BYTES=10'),
    })
    expect(world.engine.acked.filter(seq => seq > 0n)).toEqual([])
  })

  test('an output that nobody can read', async () => {
    const running = world.bridge()
    await atThree(running.bridge)
    world.engine.send(unreadable(out(3)))
    const message = expect.stringContaining('seq 4') as string
    expect(await endOf(running)).toMatchObject({ code: 'undecodable-output', message })
    expect(world.records.at(-1)?.at).toEqual(out(3).at)
  })

  test('a malformed message of an answer', async () => {
    const running = world.bridge()
    await atThree(running.bridge)
    world.engine.say('replay', noise)
    expect(await endOf(running)).toMatchObject({ code: 'undecodable-frame', reason: 'refused' })
  })

  test('a malformed live message of an engine that can not replay', async () => {
    world = new World({ engine: { replays: false, loses: () => false } })
    const running = world.bridge()
    await atThree(running.bridge)
    world.engine.say('live', noise)
    expect(await endOf(running)).toMatchObject({ code: 'undecodable-frame', reason: 'refused' })
  })

  test('to stamp by a clock that the broker contradicts', async () => {
    world = new World({ broker: { brokerClockUs: () => world.clock.nowUs() - 3_600_000_000n } })
    const running = world.bridge()
    await eventually('it leads', () => running.bridge.health()['state'] === 'leading')
    world.engine.publish(3)
    expect(await endOf(running)).toMatchObject({ code: 'clock-in-doubt', reason: 'refused' })
    expect(world.values).toEqual([])
  })

  test('to go on over outputs that the engine no longer keeps', async () => {
    const { bridge, done } = world.bridge()
    world.engine.publish(3)
    await eventually('it leads', () => bridge.health()['seq'] === 3n)
    const { at } = world.engine.journal[9] as { readonly at: LogRecord['at'] }
    world.engine.send({ kind: 'TRIMMED', at }, 'replay')
    await expect(done).rejects.toMatchObject({ code: 'trimmed', reason: 'refused' })
  })

  test('a history that differs from the log', async () => {
    const { bridge, done } = world.bridge()
    world.engine.publish(3)
    await eventually('it leads', () => bridge.health()['seq'] === 3n)
    const { at } = world.engine.journal[2] as { readonly at: LogRecord['at'] }
    const other = { ...at, chain: Buffer.alloc(32, 9) }
    // A live frame that says so may be a stranger's, and an answer that comes unasked is no answer.
    world.engine.send({ kind: 'HBT', at: other, clockUs: 0n })
    world.engine.send({ kind: 'END', at: other, over: false, next: null })
    await world.clock.sleep(5000)
    expect(bridge.health()).toMatchObject({ state: 'leading', behind: false })
    world.engine.send({ kind: 'END', at: other, over: false, next: null }, 'replay')
    await expect(done).rejects.toMatchObject({ code: 'broken-chain' })
  })
})
