import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect } from 'vitest'
import type { CommandRecord, LogRecord } from '../../core/events.ts'
import type { Clock } from '../../runtime/clock.ts'
import { MemoryBroker, type MemoryBrokerOptions } from '../../runtime/kafka/testing/memory-broker.ts'
import type { MemoryKafka } from '../../runtime/kafka/testing/memory-kafka.ts'
import { namesOf } from '../../runtime/names.ts'
import { eventually } from '../../runtime/testing/eventually.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { decodeLogRecord, encodeCommandRecord, payloadOf } from '../../schemas/codec.ts'
import { Bridge, type BridgeSettings } from '../bridge.ts'
import { avroDialect } from '../dialects/avro.ts'
import { MemoryEngine, type MemoryEngineOptions } from './memory-engine.ts'

export const names = namesOf('demo')
const log = pino({ level: 'silent' })

export type Running = {
  readonly bridge: Bridge
  readonly kafka: MemoryKafka
  readonly done: Promise<void>
  readonly stop: () => Promise<void>
}

/** An engine, a broker, and bridges between them. */
export class World {
  readonly clock: TestClock
  readonly broker: MemoryBroker
  readonly engine: MemoryEngine

  constructor({
    outputs = 40,
    broker = {},
    engine = {},
  }: {
    readonly outputs?: number
    readonly broker?: Partial<MemoryBrokerOptions>
    readonly engine?: MemoryEngineOptions
  } = {}) {
    this.clock = new TestClock()
    this.engine = new MemoryEngine(outputs, { clockUs: () => this.clock.nowUs(), ...engine })
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
      gatherMs: 0,
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

  /** Sends a command, as `settle` does. */
  async command(record: CommandRecord | Buffer): Promise<void> {
    const writer = await this.broker.client().openTxWriter({ transactionalId: names.transactionalIds.commands })
    const value = Buffer.isBuffer(record) ? record : encodeCommandRecord(record)
    const [topic, timestampMs] = [names.topics.commands, this.clock.nowUs() / 1000n]
    await writer.commitBatch({ records: [{ topic, partition: 0, key: null, value, timestampMs }] })
    await writer.close()
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
export const check = ({ values, records, engine }: World): void => {
  const payloads = values.filter(value => 'output' in decodeLogRecord(value)).map(payloadOf)
  expect(payloads).toEqual(engine.journal.map(({ payload }) => payload))
  const positions = records.map(({ pos }) => pos)
  for (const [i, pos] of positions.entries()) if (i > 0) expect(pos).toBeGreaterThan(positions[i - 1] as bigint)
}
