import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, test } from 'vitest'
import type { LogRecord } from '../core/events.ts'
import type { Clock } from '../runtime/clock.ts'
import { type BrokerRequest, MemoryBroker, type MemoryBrokerOptions } from '../runtime/kafka/testing/memory-broker.ts'
import type { MemoryKafka } from '../runtime/kafka/testing/memory-kafka.ts'
import { namesOf } from '../runtime/names.ts'
import { eventually } from '../runtime/testing/eventually.ts'
import { TestClock } from '../runtime/testing/test-clock.ts'
import { decodeLogRecord, payloadOf } from '../schemas/codec.ts'
import { Bridge, type BridgeSettings } from './bridge.ts'
import { avroDialect } from './dialects/avro.ts'
import { MemoryEngine } from './testing/memory-engine.ts'

const names = namesOf('demo')
const log = pino({ level: 'silent' })

type Running = {
  readonly bridge: Bridge
  readonly kafka: MemoryKafka
  readonly done: Promise<void>
  readonly stop: () => Promise<void>
}

/** An engine, a broker, and bridges between them. */
class World {
  readonly clock: TestClock
  readonly broker: MemoryBroker
  readonly engine: MemoryEngine

  constructor({
    outputs = 40,
    broker = {},
  }: { readonly outputs?: number; readonly broker?: Partial<MemoryBrokerOptions> } = {}) {
    this.clock = new TestClock()
    this.engine = new MemoryEngine(outputs, { clockUs: () => this.clock.nowUs() })
    this.broker = new MemoryBroker({ clock: this.clock, ...broker })
    for (const topic of [names.topics.log, names.topics.commands])
      this.broker.addTopic({ topic, partitions: 1, config: { 'max.message.bytes': '8388608' } })
    this.broker.addTopic({
      topic: names.topics.clock,
      partitions: 1,
      config: { 'message.timestamp.type': 'LogAppendTime' },
    })
    // As settle init leaves it.
    this.broker.offsets(names.groups.bridge, names.topics.commands).set(0, { offset: 0n, metadata: '' })
  }

  bridge(over: Partial<BridgeSettings> = {}, clock: Clock = this.clock): Running {
    const settings = {
      names,
      tickMs: 60_000,
      batchBytes: 1_000_000,
      maxOutputBytes: 100_000,
      clockJumpMs: 300_000,
      clockToleranceMs: 5000,
      ...over,
    }
    const kafka = this.broker.client()
    const { open: openEngineLink } = this.engine
    const bridge = new Bridge(settings, {
      kafka,
      dialect: avroDialect,
      openEngineLink,
      clock,
      log,
      metrics: new Registry(),
    })
    const stopping = new AbortController()
    const done = bridge.run(stopping.signal)
    done.catch(() => {})
    const stop = async (): Promise<void> => {
      stopping.abort()
      await done
    }
    return { bridge, kafka, done, stop }
  }

  get values(): readonly Buffer[] {
    const partition = this.broker.log(names.topics.log, 0)
    return partition.tail(1_000_000, partition.high).map(({ value }) => value)
  }

  get records(): readonly LogRecord[] {
    return this.values.map(decodeLogRecord)
  }

  /** What is durable is visible once its markers have landed. */
  visible(): Promise<void> {
    const partition = this.broker.log(names.topics.log, 0)
    return eventually('all markers have landed', () => partition.bounds.end === partition.high)
  }

  /** The engine goes on, a few outputs at a time, until everything is acknowledged. */
  async publishAll(): Promise<void> {
    const { engine } = this
    await eventually('everything is acknowledged', async () => {
      engine.publish(3)
      await this.clock.sleep(20)
      return engine.acked.at(-1) === BigInt(engine.journal.length)
    })
  }
}

/** The log is the engine's journal: each output once, in order, each at a higher pos, none lost. */
const check = ({ values, records, engine }: World): void => {
  const payloads = values.filter(value => 'output' in decodeLogRecord(value)).map(payloadOf)
  expect(payloads).toEqual(engine.journal.map(({ payload }) => payload))
  const positions = records.map(({ pos }) => pos)
  for (const [i, pos] of positions.entries()) if (i > 0) expect(pos).toBeGreaterThan(positions[i - 1] as bigint)
}

let world: World
beforeEach(() => {
  world = new World()
})

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
  const refusal = (over: Partial<BridgeSettings> = {}): Promise<void> => world.bridge(over).done

  test('a topic that is not there, or has more than one partition', async () => {
    world.broker.deleteTopic(names.topics.log)
    await expect(refusal()).rejects.toMatchObject({ code: 'topic-missing', reason: 'refused' })
    world.broker.addTopic({ topic: names.topics.log, partitions: 2 })
    await expect(refusal()).rejects.toMatchObject({
      code: 'topic-partitions',
      message: `topic ${names.topics.log} has 2 partitions; it must have 1`,
    })
  })

  test('batches that the topic would not take', async () => {
    await expect(refusal({ batchBytes: 8_388_608 })).rejects.toMatchObject({
      code: 'batch-bytes',
      message: expect.stringContaining('max.message.bytes=8388608'),
    })
  })

  test('an output that is too large', async () => {
    const { done } = world.bridge({ maxOutputBytes: 10 })
    world.engine.publish(3)
    await expect(done).rejects.toMatchObject({
      code: 'oversized-output',
      message: expect.stringContaining('over MAX_OUTPUT_BYTES=10'),
    })
    expect(world.engine.acked.filter(seq => seq > 0n)).toEqual([])
  })

  test('to go on over outputs that the engine no longer keeps', async () => {
    const { bridge, done } = world.bridge()
    world.engine.publish(3)
    await eventually('it leads', () => bridge.health()['seq'] === 3n)
    const { at } = world.engine.journal[9] as { readonly at: LogRecord['at'] }
    world.engine.send({ kind: 'TRIMMED', at })
    await expect(done).rejects.toMatchObject({ code: 'trimmed', reason: 'refused' })
  })

  test('a history that differs from the log', async () => {
    const { bridge, done } = world.bridge()
    world.engine.publish(3)
    await eventually('it leads', () => bridge.health()['seq'] === 3n)
    const { at } = world.engine.journal[2] as { readonly at: LogRecord['at'] }
    world.engine.send({ kind: 'HBT', at: { ...at, chain: Buffer.alloc(32, 9) }, clockUs: 0n })
    await expect(done).rejects.toMatchObject({ code: 'broken-chain' })
  })
})
