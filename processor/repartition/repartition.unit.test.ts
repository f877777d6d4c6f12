import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import type { EngineOutput, LogRecord, ReferenceData, UserRecord } from '../../core/events.ts'
import { amount, assetId, orderId, pos as asPos, price, symbolId } from '../../core/ids.ts'
import { history } from '../../core/testing/history.ts'
import { base, house, quote } from '../../core/testing/tiny-exchange.ts'
import { MemoryBroker, type MemoryBrokerOptions } from '../../runtime/kafka/testing/memory-broker.ts'
import type { MemoryKafka } from '../../runtime/kafka/testing/memory-kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { eventually } from '../../runtime/testing/eventually.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { zeroChain } from '../../schemas/chain.ts'
import { decodeLogRecord, decodeUserRecord, encodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import { Repartition, type RepartitionSettings } from './repartition.ts'
import { emptyState, Repartitioner } from './repartitioner.ts'

const names = namesOf('demo')
const { log: logTopic, users: usersTopic } = names.topics
const quiet = pino({ level: 'silent' })
const partitions = 3
const firstPos = 1_700_000_000_000_000n
const maxPos = 2n ** 63n - 1n

const reference: ReferenceData = {
  assets: [
    { asset: base, name: 'BTC', decimals: 8 },
    { asset: quote, name: 'EUR', decimals: 2 },
  ],
  symbols: [
    {
      symbol: symbolId(7),
      name: 'BTC/EUR',
      base,
      quote,
      lot: amount(10n),
      priceScale: 2,
      quantityScale: 4,
    },
  ],
  house,
}
const nothing: EngineOutput = { time: 5n, reference: null, orders: [], trades: [], changes: [] }

type Running = {
  readonly service: Repartition
  readonly kafka: MemoryKafka
  readonly done: Promise<void>
  readonly stop: () => Promise<void>
}

/** A log, `user.outputs`, and repartitions between them. */
class World {
  readonly clock = new TestClock()
  readonly broker: MemoryBroker
  #pos = firstPos

  constructor(
    broker: Partial<MemoryBrokerOptions> = {},
    usersConfig: Readonly<Record<string, string>> = { 'max.message.bytes': '8388608' },
  ) {
    this.broker = new MemoryBroker({ clock: this.clock, ...broker })
    this.broker.addTopic({ topic: logTopic, partitions: 1 })
    this.broker.addTopic({ topic: usersTopic, partitions, config: usersConfig })
    this.append({ kind: 'Reference', at: this.#at(), output: { ...nothing, reference } })
  }

  #at() {
    return { epoch: 1n, random: 7n, seq: this.#pos - firstPos, chain: zeroChain }
  }

  /** The next record of the log. Every third leaves a hole before it, as transactions do. Returns its pos. */
  append(body: Omit<Extract<LogRecord, { kind: 'Output' | 'Reference' }>, 'pos'>): bigint {
    return this.put({ ...body, pos: asPos(this.#pos + 1000n) })
  }

  put(record: LogRecord): bigint {
    this.#pos = record.pos
    const { high } = this.broker.log(logTopic, 0)
    this.broker.put(logTopic, 0, { value: encodeLogRecord(record), offset: high % 3n === 2n ? high + 1n : high })
    return record.pos
  }

  output(output: EngineOutput): bigint {
    return this.append({ kind: 'Output', at: this.#at(), output })
  }

  admit(refusedPos: bigint): void {
    const command = { id: 'c', who: 'ann', why: 'seen', time: 5n }
    this.put({ kind: 'Admit', pos: asPos(this.#pos + 1000n), at: this.#at(), command, refusedPos: asPos(refusedPos) })
  }

  repartition(over: Partial<RepartitionSettings> = {}): Running {
    const kafka = this.broker.client()
    const settings = { names, partitions, barrierIntervalMs: 100, barrierOutputs: 7, ...over }
    const service = new Repartition(settings, { kafka, clock: this.clock, log: quiet, metrics: new Registry() })
    const stopping = new AbortController()
    const done = service.run(stopping.signal)
    done.catch(() => {})
    const stop = async (): Promise<void> => {
      stopping.abort()
      await done
    }
    return { service, kafka, done, stop }
  }

  get users(): UserRecord[][] {
    return this.broker
      .topic(usersTopic)
      .logs.map(each => each.tail(1_000_000, each.high).map(({ value }) => decodeUserRecord(value)))
  }

  /** Every partition ends with a barrier behind the whole log. */
  get isDone(): boolean {
    return this.broker.topic(usersTopic).logs.every(partition => {
      const [last] = partition.tail(1, partition.high).map(({ value }) => decodeUserRecord(value))
      return last?.kind === 'Barrier' && last.pos === this.#pos
    })
  }

  done(): Promise<void> {
    return eventually('everything is behind a barrier', () => this.isDone)
  }

  /** Rejects with what ends a repartition; resolves when nothing does. */
  async refusal(over: Partial<RepartitionSettings> = {}): Promise<void> {
    const { service, done } = this.repartition(over)
    let hasEnded = false
    void done.catch(() => {}).finally(() => (hasEnded = true))
    const goesOn = (): boolean => service.health()['state'] === 'leading' && this.isDone
    await eventually('it ends, or everything is behind a barrier', () => hasEnded || goesOn())
    if (hasEnded) await done
  }
}

/** `user.outputs` is the log folded anew, with a barrier wherever one was found. */
const check = ({ users: found, broker }: World, admitted: ReadonlySet<bigint> = new Set(), below = maxPos): void => {
  const barriers = new Set(found[0]?.filter(({ kind }) => kind === 'Barrier').map(({ src }) => src))
  const repartitioner = new Repartitioner(emptyState(partitions))
  const expected: UserRecord[][] = Array.from({ length: partitions }, () => [])
  const partition = broker.log(logTopic, 0)
  for (const { offset: src, value } of partition.tail(1_000_000, partition.high)) {
    const record = decodeLogRecord(value)
    if (record.pos >= below) break
    if (!admitted.has(record.pos)) expect(repartitioner.refusal(record)).toBeNull()
    const placed = [...repartitioner.take(src, record), ...(barriers.has(src) ? repartitioner.barrier() : [])]
    for (const each of placed) expected[each.partition]?.push(decodeUserRecord(encodeUserRecord(each.record)))
  }
  expect(found).toEqual(expected)
}

/** Engine outputs after the barrier before, for each barrier. */
const outputsBetweenBarriers = ({ users, broker }: World): readonly number[] => {
  const log = broker.log(logTopic, 0).tail(1_000_000, broker.log(logTopic, 0).high)
  const outputs = log.map(({ value }) => decodeLogRecord(value)).filter(({ kind }) => kind === 'Output')
  return (users[0] ?? [])
    .filter(record => record.kind === 'Barrier')
    .map(barrier => outputs.filter(({ pos }) => barrier.previous < pos && pos <= barrier.pos).length)
}

const worldOf = (outputs: readonly EngineOutput[], broker: Partial<MemoryBrokerOptions> = {}): World => {
  const world = new World(broker)
  for (const output of outputs) world.output(output)
  return world
}

const someHistory = (): readonly EngineOutput[] => fc.sample(history, { seed: 5, numRuns: 4 })[3] ?? []

test('everything in the log becomes user outputs, numbered densely, with barriers that carry the flow', async () => {
  await fc.assert(
    fc.asyncProperty(history, async outputs => {
      const world = worldOf(outputs)
      const { service, stop } = world.repartition()
      await world.done()
      expect(service.health()).toMatchObject({ ok: true, state: 'leading' })
      await stop()
      check(world)
      for (const count of outputsBetweenBarriers(world))
        expect(count, 'outputs before a barrier').toBeLessThanOrEqual(7)
    }),
    { numRuns: 15 },
  )
})

test('whatever the network does, whoever is cut off, stopped and started, with or without its hint', async () => {
  const delivery = fc.constantFrom(
    'delivered' as const,
    'delivered' as const,
    'delivered' as const,
    'request-lost' as const,
    'answer-lost' as const,
  )
  const event = fc.record({
    afterMs: fc.integer({ min: 1, max: 9000 }),
    who: fc.nat(1),
    what: fc.constantFrom('restart', 'freeze', 'thaw', 'rebalance', 'forget'),
    outputs: fc.nat(30),
  })
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.array(delivery, { maxLength: 150 }),
      fc.array(fc.nat(300), { minLength: 1, maxLength: 20 }),
      fc.array(event, { maxLength: 8 }),
      async (outputs, deliveries, delays, events) => {
        let asked = 0
        const delay = (): number => (delays[asked++ % delays.length] ?? 0) / 5
        // A join or a look at the topics that is lost ends a process, and whoever runs it starts it again.
        const answered = new Set(['join-group', 'describe-topics'])
        const world = new World({
          network: ({ kind }) => (answered.has(kind) ? 'delivered' : (deliveries[asked++] ?? 'delivered')),
          latencyMs: delay,
          markerDelayMs: delay,
          rebalanceDelayMs: delay,
          assignmentTurn: () => Math.round(delay()),
          fetchCount: () => 5,
        })
        const running = [world.repartition(), world.repartition()]
        const left = [...outputs]
        for (const { afterMs, who, what, outputs: count } of events) {
          for (const output of left.splice(0, count)) world.output(output)
          await world.clock.sleep(afterMs)
          const one = running[who] as Running
          if (what === 'freeze') one.kafka.freeze()
          if (what === 'thaw') one.kafka.thaw()
          if (what === 'rebalance') world.broker.group(names.groups.repartition).rebalance()
          if (what === 'forget') world.broker.offsets(names.groups.repartition, logTopic).clear()
          if (what !== 'restart') continue
          one.kafka.thaw()
          await one.stop()
          running[who] = world.repartition()
        }
        for (const { kafka } of running) kafka.thaw()
        for (const output of left) world.output(output)
        await world.done()
        await Promise.all(running.map(one => one.stop()))
        check(world)
      },
    ),
    { numRuns: 20, timeout: 60_000 },
  )
}, 120_000)

describe('a start', () => {
  test('on what is written already writes nothing', async () => {
    const world = worldOf(someHistory())
    const first = world.repartition()
    await world.done()
    await first.stop()
    const before = world.users
    const second = world.repartition()
    await eventually('it leads', () => second.service.health()['state'] === 'leading')
    await world.clock.sleep(5000)
    await second.stop()
    expect(world.users).toEqual(before)
  })

  test('that finds the hint of where the reference data stands reads the log from the last barrier only', async () => {
    const reads = async (forget: boolean): Promise<number> => {
      let fetches = 0
      const world = worldOf(someHistory(), {
        fetchCount: () => 1,
        network: ({ kind, target }) => {
          if (kind === 'fetch' && target === logTopic) fetches++
          return 'delivered'
        },
      })
      const first = world.repartition()
      await world.done()
      await first.stop()
      if (forget) world.broker.offsets(names.groups.repartition, logTopic).clear()
      fetches = 0
      const second = world.repartition()
      world.output(someHistory()[0] as EngineOutput)
      await world.done()
      await second.stop()
      check(world)
      return fetches
    }
    const [hinted, forgotten] = [await reads(false), await reads(true)]
    expect(forgotten).toBeGreaterThan(hinted + 10)
  })

  test('on a topic that was remade makes the same records again, barriers apart', async () => {
    const world = worldOf(someHistory())
    const withoutBarriers = () =>
      world.users.map(records => records.filter(({ kind }) => kind !== 'Barrier').map(({ n: _, ...record }) => record))
    const first = world.repartition()
    await world.done()
    await first.stop()
    const before = withoutBarriers()
    world.broker.deleteTopic(usersTopic)
    world.broker.addTopic({ topic: usersTopic, partitions })
    const second = world.repartition({ barrierOutputs: 3 })
    await world.done()
    await second.stop()
    expect(withoutBarriers()).toEqual(before)
    check(world)
  })

  test.each([
    ['shorter', 5, 1000n],
    ['of other positions', 100, 999n],
  ])('on a log that is not the one user.outputs was made from, %s, refuses', async (_, count, stepUs) => {
    const world = worldOf(someHistory())
    const first = world.repartition()
    await world.done()
    await first.stop()
    const { high } = world.broker.log(usersTopic, 0)
    world.broker.deleteTopic(logTopic)
    world.broker.addTopic({ topic: logTopic, partitions: 1 })
    const at = { epoch: 1n, random: 1n, seq: 1n, chain: zeroChain }
    for (let i = 0; i < count; i++) world.put({ kind: 'Tick', pos: asPos(firstPos + BigInt(i) * stepUs), at })
    await expect(world.refusal()).rejects.toMatchObject({ code: 'other-log', reason: 'refused' })
    expect(world.broker.log(usersTopic, 0).high).toBe(high)
  })

  test('refuses a topic that is not there or has fewer partitions; more are an alarm', async () => {
    const world = worldOf(someHistory())
    await expect(world.refusal({ partitions: 4 })).rejects.toMatchObject({
      code: 'topic-partitions',
      message: expect.stringContaining('has 3 partitions, PARTITIONS says 4'),
    })
    const { service, stop } = world.repartition({ partitions: 2 })
    await eventually('it leads', () => service.health()['state'] === 'leading')
    await stop()
    world.broker.deleteTopic(usersTopic)
    await expect(world.refusal()).rejects.toMatchObject({ code: 'topic-missing' })
  })
})

describe('an output larger than what Kafka takes at once', () => {
  /** Rejected orders of one user: they need no funds, and all go to one partition. */
  const rejects = (count: number): EngineOutput => ({
    ...nothing,
    orders: Array.from({ length: count }, (_, i) => ({
      order: orderId(BigInt(i + 1)),
      user: house,
      symbol: symbolId(7),
      side: 'Buy',
      type: 'Limit',
      timeInForce: 'GoodTillCancel',
      price: price(1n),
      quantity: amount(10n),
      filled: amount(0n),
      remaining: amount(0n),
      state: 'Rejected',
      reason: 'no funds',
    })),
  })
  const largest = { 'max.message.bytes': '40000' }

  test('is written by itself, and many small ones in as many transactions as they need', async () => {
    const world = new World({}, largest)
    for (let i = 0; i < 40; i++) world.output(rejects(i === 20 ? 900 : 100))
    const { stop } = world.repartition({ barrierOutputs: 1000 })
    await world.done()
    await stop()
    check(world)
  })

  test('stops with its size, the limit and the setting once the topic does not take it', async () => {
    const world = new World({}, largest)
    world.output(rejects(100))
    const pos = world.output(rejects(3000))
    await expect(world.refusal()).rejects.toMatchObject({
      code: 'output-bytes',
      reason: 'refused',
      message: expect.stringMatching(new RegExp(`at pos ${pos} becomes \\d+ bytes .* max.message.bytes=40000; raise`)),
    })
    check(world, new Set(), pos)
  })
})

describe('an output that fails its checks', () => {
  const wrong: EngineOutput = {
    ...nothing,
    changes: [
      {
        user: house,
        asset: assetId(1),
        deltaAvailable: amount(5n),
        deltaFrozen: amount(0n),
        available: amount(5n),
        frozen: amount(0n),
        version: 1n as never,
        reason: 'Trade',
        ref: 1n,
      },
    ],
  }

  test('stops everything behind it, and what stands before it is written', async () => {
    const world = worldOf(someHistory().slice(0, 10))
    const pos = world.output(wrong)
    for (const output of someHistory().slice(10)) world.output(output)
    for (let start = 0; start < 2; start++)
      await expect(world.refusal({ barrierOutputs: 1 })).rejects.toMatchObject({
        code: 'output-refused',
        reason: 'refused',
        message: expect.stringContaining(`settle admit --pos ${pos}`),
      })
    for (const records of world.users) {
      expect(records.at(-1)).toMatchObject({ kind: 'Barrier', src: expect.any(BigInt) })
      for (const record of records) expect(record.pos).toBeLessThan(pos)
    }
    check(world, new Set(), pos)
  })

  test('is taken once an operator has admitted it further on, by whoever starts then and later', async () => {
    const world = worldOf(someHistory().slice(0, 10))
    const pos = world.output(wrong)
    world.output(someHistory()[10] as EngineOutput)
    await expect(world.refusal()).rejects.toMatchObject({ code: 'output-refused' })
    world.admit(pos + 1n)
    await expect(world.refusal()).rejects.toMatchObject({ code: 'output-refused' })
    world.admit(pos)
    const first = world.repartition()
    await world.done()
    await first.stop()
    world.output(someHistory()[11] as EngineOutput)
    const second = world.repartition()
    await world.done()
    await second.stop()
    check(world, new Set([pos]))
  })
})
