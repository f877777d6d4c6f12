import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bridge } from '../../bridge/bridge.ts'
import { avroDialect } from '../../bridge/dialects/avro.ts'
import { MemoryEngine } from '../../bridge/testing/memory-engine.ts'
import type { LogRecord, UserRecord } from '../../core/events.ts'
import { up } from '../../local/stack.ts'
import { Repartition } from '../../processor/repartition/repartition.ts'
import { Repartitioner, emptyState } from '../../processor/repartition/repartitioner.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import type { Service } from '../../runtime/service.ts'
import { decodeLogRecord, decodeUserRecord, encodeUserRecord, payloadOf } from '../../schemas/codec.ts'
import { readTopic } from '../pipeline/read-topic.ts'

const partitions = 3
const stem = `front_${process.pid}_${Date.now().toString(36)}`
/** What the services say, for whoever looks at a failure. */
const said: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => void said.push(line) })
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
  await kafka.admin.createTopics([
    ...specs.map(spec => ({ ...spec, replicationFactor: 1, config })),
    {
      topic: names.topics.clock,
      partitions: 1,
      replicationFactor: 1,
      config: { 'message.timestamp.type': 'LogAppendTime' },
    },
  ])
  const offsets = new Map([[0, { offset: 0n, metadata: '' }]])
  await kafka.admin.setOffsets({ group: names.groups.bridge, topic: names.topics.commands, offsets })
  return names
}

const readLog = async ({ topics }: StreamNames): Promise<{ src: bigint; record: LogRecord; value: Buffer }[]> =>
  (await readTopic(kafka, topics.log)).map(({ offset, value }) => ({
    src: offset,
    record: decodeLogRecord(value),
    value,
  }))
const readUsers = ({ topics }: StreamNames): Promise<UserRecord[][]> =>
  Promise.all(
    Array.from({ length: partitions }, async (_, partition) =>
      (await readTopic(kafka, topics.users, partition)).map(({ value }) => decodeUserRecord(value)),
    ),
  )

/** A service that is stopped and started again, over and over, as an operator would. */
class Restarting {
  readonly #make: () => Service
  #stop: AbortController = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failure: unknown

  constructor(make: () => Service) {
    this.#make = make
  }

  start(): void {
    this.#stop = new AbortController()
    this.#running = this.#make().run(this.#stop.signal)
    this.#running.catch((error: unknown) => (this.#failure = error))
  }

  /** @throws what it ended with */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
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
        {
          names,
          tickMs: 100,
          batchBytes: 1_000_000,
          gatherMs: 0,
          maxOutputBytes: 100_000,
          clockJumpMs: 300_000,
          clockToleranceMs: 5000,
        },
        { kafka, dialect: avroDialect, openEngineLink: engine.open, clock: systemClock, log, metrics: new Registry() },
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
  it('leave a log without loss or doubling, and user.outputs that follow from it', async ({ onTestFailed }) => {
    onTestFailed(() => void process.stderr.write(said.join('')))
    const names = await newStream()
    const engine = new MemoryEngine(3000)
    const services = [bridgeOf(names, engine), repartitionOf(names)]
    for (const service of services) service.start()
    /** A service that has ended says why; it would be waited for in vain. */
    const watched =
      <T>(look: () => T) =>
      (): T => {
        for (const service of services) service.check()
        return look()
      }
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 10; i++) {
        engine.publish(50)
        await new Promise(setImmediate)
      }
      const target = BigInt(engine.published) / 2n
      await expect
        .poll(
          watched(() => (engine.acked.at(-1) ?? 0n) >= target),
          { timeout: 30_000 },
        )
        .toBe(true)
      const service = services[round % 2] as Restarting
      await service.stop()
      service.start()
    }
    await expect
      .poll(
        watched(() => engine.acked.at(-1)),
        { timeout: 30_000 },
      )
      .toBe(3000n)
    const ends = async (): Promise<boolean> =>
      (await readUsers(names)).every(records => {
        const last = records.at(-1)
        return last?.kind === 'Barrier' && last.src >= 3000n
      })
    await expect.poll(watched(ends), { timeout: 30_000 }).toBe(true)
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
