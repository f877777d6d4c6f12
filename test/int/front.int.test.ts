import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bridge } from '../../bridge/bridge.ts'
import type { EngineLink } from '../../bridge/engine-link.ts'
import type { LogRecord, UserRecord } from '../../core/events.ts'
import { assetId, userId } from '../../core/ids.ts'
import { up } from '../../local/stack.ts'
import { Repartition } from '../../processor/repartition/repartition.ts'
import { Repartitioner, emptyState } from '../../processor/repartition/repartitioner.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort, KafkaRecord } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import type { Service } from '../../runtime/service.ts'
import { nextChain, zeroChain } from '../../schemas/chain.ts'
import {
  decodeLogRecord,
  decodeUserRecord,
  encodeEngineOutput,
  encodeUserRecord,
  payloadOf,
} from '../../schemas/codec.ts'
import { type EngineFrame, encodeEngineFrame } from '../../schemas/frames.ts'

const partitions = 3
const stem = `front_${process.pid}_${Date.now().toString(36)}`
const log = pino({ level: 'silent' })
let kafka: KafkaPort
let streams = 0

beforeAll(async () => {
  const stack = await up({ servers: ['kafka'] })
  const { brokers } = stack.kafka
  kafka = openKafka({ brokers, clientId: stem, log, sessionTimeoutMs: 6000, heartbeatIntervalMs: 200 })
})
afterAll(() => kafka.close())

const newStream = async (): Promise<StreamNames> => {
  const names = namesOf(`${stem}_${++streams}`)
  const config = { 'max.message.bytes': '8388608' }
  const specs = [
    { topic: names.topics.log, partitions: 1 },
    { topic: names.topics.commands, partitions: 1 },
    { topic: names.topics.users, partitions },
  ]
  await kafka.admin.createTopics(specs.map(spec => ({ ...spec, replicationFactor: 1, config })))
  return names
}

type Out = Extract<EngineFrame, { kind: 'OUT' }>

/** Deposits of many users, as an engine would number and chain them. */
const outputs = (count: number): readonly Out[] => {
  let chain = zeroChain
  const versions = new Map<bigint, bigint>()
  return Array.from({ length: count }, (_, i) => {
    const user = userId(BigInt(i % 37))
    const version = (versions.get(user) ?? 0n) + 1n
    versions.set(user, version)
    const change = {
      user,
      asset: assetId(1),
      deltaAvailable: 5n,
      deltaFrozen: 0n,
      available: 5n * version,
      frozen: 0n,
      version,
      reason: 'Deposit',
      ref: BigInt(i),
    }
    const reference =
      i === 0 ? { assets: [{ asset: assetId(1), name: 'BTC', decimals: 8 }], symbols: [], house: userId(99n) } : null
    const output = { time: BigInt(i), reference, orders: [], trades: [], changes: i === 0 ? [] : [change] }
    const payload = encodeEngineOutput(output as unknown as Parameters<typeof encodeEngineOutput>[0])
    chain = nextChain(chain, payload)
    return { kind: 'OUT', at: { epoch: 1n, random: 7n, seq: BigInt(i + 1), chain }, payload }
  })
}

/** An engine in memory: lossy live frames as they are published, replay from its journal. */
class MemoryEngine {
  readonly journal: readonly Out[]
  published = 0
  readonly acked: bigint[] = []
  readonly #links = new Set<MemoryLink>()

  constructor(count: number) {
    this.journal = outputs(count)
  }

  readonly open = (): Promise<EngineLink> => {
    const link = new MemoryLink(this, () => this.#links.delete(link))
    this.#links.add(link)
    return Promise.resolve(link)
  }

  publish(count: number): void {
    for (let i = 0; i < count && this.published < this.journal.length; i++) {
      const frame = this.journal[this.published++] as Out
      if (this.published % 7 !== 3) for (const link of this.#links) link.deliver('live', frame)
    }
    const at = this.journal[this.published - 1]?.at
    if (at) for (const link of this.#links) link.deliver('live', { kind: 'HBT', at, clockUs: 0n })
  }
}

class MemoryLink implements EngineLink {
  readonly #engine: MemoryEngine
  readonly #queues = { live: [] as EngineFrame[], replay: [] as EngineFrame[] }
  readonly #waiting = new Map<'live' | 'replay', (frames: readonly Buffer[] | undefined) => void>()
  readonly #onClose: () => void
  #closed = false

  constructor(engine: MemoryEngine, onClose: () => void) {
    this.#engine = engine
    this.#onClose = onClose
  }

  deliver(source: 'live' | 'replay', frame: EngineFrame): void {
    const wake = this.#waiting.get(source)
    this.#waiting.delete(source)
    if (wake) wake(encodeEngineFrame(frame))
    else this.#queues[source].push(frame)
  }

  receive(source: 'live' | 'replay'): Promise<readonly Buffer[] | undefined> {
    const frame = this.#queues[source].shift()
    if (this.#closed || frame) return Promise.resolve(frame && encodeEngineFrame(frame))
    return new Promise(resolve => this.#waiting.set(source, resolve))
  }

  send(frame: Parameters<EngineLink['send']>[0]): Promise<void> {
    if (frame.kind === 'ACK') this.#engine.acked.push(frame.seq)
    else this.#replay(frame.from, frame.to)
    return Promise.resolve()
  }

  #replay(from: bigint, to: bigint): void {
    const sent = this.#engine.journal.slice(0, this.#engine.published)
    for (const frame of sent) if (frame.at.seq >= from && frame.at.seq <= to) this.deliver('replay', frame)
    const at = sent.at(-1)?.at
    if (at) this.deliver('replay', { kind: 'END', at, over: false, next: null })
  }

  close(): void {
    this.#closed = true
    this.#onClose()
    for (const wake of this.#waiting.values()) wake(undefined)
    this.#waiting.clear()
  }
}

const readAll = async (topic: string, partition: number): Promise<KafkaRecord[]> => {
  const fetcher = kafka.openFetcher()
  const end = (await kafka.bounds(topic)).get(partition)?.end ?? 0n
  const found: KafkaRecord[] = []
  for (let offset = 0n; offset < end; ) {
    const { records, next } = await fetcher.read({ topic, partition, offset })
    found.push(...records)
    offset = next
  }
  await fetcher.close()
  return found
}
const readLog = async ({ topics }: StreamNames): Promise<{ src: bigint; record: LogRecord; value: Buffer }[]> =>
  (await readAll(topics.log, 0)).map(({ offset, value }) => ({ src: offset, record: decodeLogRecord(value), value }))
const readUsers = ({ topics }: StreamNames): Promise<UserRecord[][]> =>
  Promise.all(
    Array.from({ length: partitions }, async (_, partition) =>
      (await readAll(topics.users, partition)).map(({ value }) => decodeUserRecord(value)),
    ),
  )

/** A service that is stopped and started again, over and over, as an operator would. */
class Restarting {
  readonly #make: () => Service
  #stop: AbortController = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(make: () => Service) {
    this.#make = make
  }

  start(): void {
    this.#stop = new AbortController()
    this.#running = this.#make().run(this.#stop.signal)
    this.#running.catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

const bridgeOf = (names: StreamNames, engine: MemoryEngine): Restarting =>
  new Restarting(
    () =>
      new Bridge(
        { names, tickMs: 100, batchBytes: 1_000_000, maxOutputBytes: 100_000 },
        { kafka, openEngineLink: engine.open, clock: systemClock, log, metrics: new Registry() },
      ),
  )
const repartitionOf = (names: StreamNames): Restarting =>
  new Restarting(
    () =>
      new Repartition(
        { names, partitions, barrierIntervalMs: 100, barrierOutputs: 50 },
        { kafka, clock: systemClock, log, metrics: new Registry() },
      ),
  )

describe('bridge and repartition, stopped and started at any moment', () => {
  it('leave a log without loss or doubling, and user.outputs that follow from it', async () => {
    const names = await newStream()
    const engine = new MemoryEngine(3000)
    const services = [bridgeOf(names, engine), repartitionOf(names)]
    for (const service of services) service.start()
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 10; i++) {
        engine.publish(50)
        await new Promise(setImmediate)
      }
      const target = BigInt(engine.published) / 2n
      await expect.poll(() => (engine.acked.at(-1) ?? 0n) >= target, { timeout: 30_000 }).toBe(true)
      const service = services[round % 2] as Restarting
      await service.stop()
      service.start()
    }
    await expect.poll(() => engine.acked.at(-1), { timeout: 30_000 }).toBe(3000n)
    const ends = async (): Promise<boolean> =>
      (await readUsers(names)).every(records => {
        const last = records.at(-1)
        return last?.kind === 'Barrier' && last.src >= 3000n
      })
    await expect.poll(ends, { timeout: 30_000 }).toBe(true)
    await Promise.all(services.map(service => service.stop()))

    const inLog = await readLog(names)
    const payloads = inLog.filter(({ record }) => 'output' in record).map(({ value }) => payloadOf(value))
    expect(payloads).toEqual(engine.journal.map(({ payload }) => payload))
    const positions = inLog.map(({ record }) => record.pos)
    expect(positions).toEqual([...new Set(positions)].toSorted((a, b) => Number(a - b)))
    expect(await readUsers(names)).toEqual(expectedUsers(inLog, await readUsers(names)))
  })
})

/** What `user.outputs` must be: the log folded anew, with a barrier wherever one was found. */
const expectedUsers = (
  inLog: readonly { readonly src: bigint; readonly record: LogRecord }[],
  found: readonly (readonly UserRecord[])[],
): UserRecord[][] => {
  const barriers = new Set(found[0]?.filter(record => record.kind === 'Barrier').map(({ src }) => src))
  const lastSrc = found[0]?.at(-1)?.src ?? -1n
  const repartitioner = new Repartitioner(emptyState(partitions))
  const expected: UserRecord[][] = Array.from({ length: partitions }, () => [])
  for (const { src, record } of inLog) {
    if (src > lastSrc) break
    const placed = [...repartitioner.take(src, record), ...(barriers.has(src) ? repartitioner.barrier() : [])]
    for (const { partition, record: made } of placed) expected[partition]?.push(made)
  }
  return expected.map(records => records.map(record => decodeAgain(record)))
}

/** The same through the codec, so that both sides are what it makes. */
const decodeAgain = (record: UserRecord): UserRecord => decodeUserRecord(encodeUserRecord(record))
