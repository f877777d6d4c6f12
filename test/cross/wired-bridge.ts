import { createServer } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { onTestFinished } from 'vitest'
import { Bridge } from '../../bridge/bridge.ts'
import type { Dialect } from '../../bridge/dialects/dialect.ts'
import { dialects } from '../../bridge/dialects/dialects.ts'
import { type ZeroMqSettings, zeroMqLink } from '../../bridge/zeromq.ts'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryBroker } from '../../runtime/kafka/testing/memory-broker.ts'
import { namesOf } from '../../runtime/names.ts'
import { payloadOf } from '../../schemas/codec.ts'
import { until } from '../../sim/engine/testing/running-engine.ts'

const names = namesOf('demo')

export type WiredSettings = Partial<Omit<ZeroMqSettings, 'expansion'>> & {
  readonly live: string
  readonly dialect?: keyof typeof dialects
  readonly batchBytes?: number
}

export type WiredBridge = {
  /** Ends with what stopped it, or null once it was asked to stop. */
  readonly ended: Promise<unknown>
  /** What it ended with; undefined while it runs. */
  readonly outcome: () => unknown
  readonly stop: () => Promise<unknown>
  /** Waits for a condition while the bridge runs. Throws what stopped it when something did. */
  readonly until: (condition: () => boolean | Promise<boolean>) => Promise<void>
  /** Log lines, parsed. */
  readonly logged: readonly Record<string, unknown>[]
  /** The sum of a metric over those of its labels that are given. */
  readonly metric: (name: string, labels?: Readonly<Record<string, string>>) => Promise<number>
  /** Payloads of the outputs that are in the log. */
  readonly payloads: () => readonly Buffer[]
}

/** A bridge on real ZeroMQ sockets that writes to a broker in memory; it is stopped after the test. */
export const wireBridge = (given: WiredSettings): WiredBridge => {
  const dialect: Dialect = dialects[given.dialect ?? 'avro']
  const maxOutputBytes = given.maxOutputBytes ?? 4_194_304
  const metrics = new Registry()
  const logged: Record<string, unknown>[] = []
  const log = pino(
    { level: 'info', formatters: { level: level => ({ level }) } },
    { write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const broker = new MemoryBroker({ clock: systemClock })
  for (const topic of [names.topics.log, names.topics.commands])
    broker.addTopic({ topic, partitions: 1, config: { 'max.message.bytes': '8388608' } })
  broker.addTopic({ topic: names.topics.clock, partitions: 1, config: { 'message.timestamp.type': 'LogAppendTime' } })
  // As settle init leaves it.
  broker.offsets(names.groups.bridge, names.topics.commands).set(0, { offset: 0n, metadata: '' })
  const openEngineLink = zeroMqLink(
    {
      ...{ replay: 'none', sendTimeoutMs: 1000, curve: null, plainBeyondLoopback: 'refused' },
      ...given,
      ...{ maxOutputBytes, expansion: dialect.expansion },
    },
    { log, clock: systemClock, metrics },
  )
  const bridge = new Bridge(
    {
      names,
      ...{ tickMs: 60_000, clockJumpMs: 60_000, clockToleranceMs: 5000 },
      batchBytes: given.batchBytes ?? 6_291_456,
      gatherMs: 0,
      maxOutputBytes,
    },
    { kafka: broker.client(), dialect, openEngineLink, clock: systemClock, log, metrics },
  )
  const stopping = new AbortController()
  let outcome: unknown
  const ended = bridge.run(stopping.signal).then(
    () => (outcome = null),
    (error: unknown) => (outcome = error),
  )
  const stop = (): Promise<unknown> => {
    stopping.abort()
    return ended
  }
  onTestFinished(async () => void (await stop()))
  const payloads = (): readonly Buffer[] => {
    const partition = broker.log(names.topics.log, 0)
    const values = partition.tail(1_000_000, partition.high).map(({ value }) => value)
    return values.flatMap(value => (isOutput(value) ? [payloadOf(value)] : []))
  }
  const metric = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> => {
    const values = (await metrics.getSingleMetric(name)?.get())?.values ?? []
    const wanted = Object.entries(labels)
    return values
      .filter(value => wanted.every(([label, text]) => (value.labels as Record<string, unknown>)[label] === text))
      .reduce((sum, { value }) => sum + value, 0)
  }
  const untilRunning = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    await until(async () => outcome !== undefined || (await condition()))
    if (outcome !== undefined) throw outcome ?? new Error('the bridge was stopped')
  }
  return { ended, outcome: () => outcome, stop, until: untilRunning, logged, metric, payloads }
}

const isOutput = (value: Buffer): boolean => {
  try {
    payloadOf(value)
    return true
  } catch {
    return false
  }
}

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
