import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Random } from '../../sim/engine/flow/random.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaLimits } from '../../runtime/kafka/limits.ts'
import { KafkaFailure, type KafkaPort, type OutgoingRecord } from '../../runtime/kafka/port.ts'
import { openProxiedKafka, type ProxiedKafka } from '../faults/proxied-kafka.ts'
import { seededFaults } from '../faults/seeded-faults.ts'

const soakMs = 20_000
const stem = `kafka_soak_${process.pid}_${Date.now().toString(36)}`
const limits = { connectMs: 500, requestMs: 700, commitMs: 2000, openWriterMs: 4000, askMs: 2500, closeMs: 500 }
const seed = fc.readConfigureGlobal().seed ?? Math.floor(Math.random() * 2 ** 31)

let proxied: ProxiedKafka
let direct: KafkaPort
let faulty: KafkaPort
let active = false

beforeAll(async () => {
  proxied = await openProxiedKafka({
    plan: seededFaults({
      seed,
      drop: 0.001,
      delay: 0.01,
      halve: 0.004,
      reset: 0.008,
      maxDelayMs: 1500,
      active: () => active,
    }),
  })
  const client = (brokers: readonly string[], clientId: string, own: Partial<KafkaLimits> = {}): KafkaPort =>
    openKafka({
      brokers,
      clientId,
      log: pino({ level: 'silent' }),
      sessionTimeoutMs: 6000,
      heartbeatIntervalMs: 500,
      limits: own,
      txWriters: 'threads',
    })
  direct = client(proxied.stack.kafka.brokers, `${stem}_direct`)
  faulty = client([proxied.proxy.address], `${stem}_faulty`, limits)
})
afterAll(async () => {
  await Promise.all([direct, faulty].map(port => port.close()))
  await proxied[Symbol.asyncDispose]()
})

type Batch = { readonly id: number; readonly size: number; outcome: 'committed' | 'unknown' }

/** A record says which batch it is of and the how-manieth, so that the log tells everything about itself. */
const recordsOf = (topic: string, { id, size }: Batch): OutgoingRecord[] =>
  Array.from({ length: size }, (_, i) => ({
    topic,
    partition: i % 2,
    key: null,
    value: Buffer.from(`${id}:${i}`),
    timestampMs: 1n,
  }))

it(`whatever happens to its connections, what was committed is there once, in order, and doubt is all or nothing (seed ${seed})`, async () => {
  const topic = `${stem}_log`
  await direct.admin.createTopics([{ topic, partitions: 2, replicationFactor: 1, config: {} }])
  await expect.poll(async () => (await direct.bounds(topic)).size, { timeout: 10_000 }).toBe(2)
  const random = new Random({ seed: BigInt(seed), step: 0 })
  const batches: Batch[] = []
  const kinds = new Map<string, number>()
  const count = (kind: string): void => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1)

  /** One term, as a bridge has it: fence, read the tail, write until something fails. */
  const term = async (endMs: number): Promise<void> => {
    const writer = await faulty.openTxWriter({ transactionalId: topic })
    try {
      const tail = await faulty.readTail({ topic, partition: 0, count: 1 })
      const last = Number(tail[0]?.value.toString().split(':')[0] ?? 0)
      // What resolved must be what the tail says; only an unknown batch may have become the last.
      const known = batches.findLast(({ outcome }) => outcome === 'committed')?.id ?? 0
      expect(last).toBeGreaterThanOrEqual(known)
      while (performance.now() < endMs) {
        const batch: Batch = { id: batches.length + 1, size: random.between(2, 40), outcome: 'unknown' }
        batches.push(batch)
        await writer.commitBatch({ records: recordsOf(topic, batch) })
        batch.outcome = 'committed'
        count('committed')
      }
    } finally {
      await writer.close()
    }
  }

  active = true
  const endMs = performance.now() + soakMs
  while (performance.now() < endMs) {
    try {
      await term(endMs)
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error
      // Nobody else writes by this id, yet a transaction that took too long fences its own writer.
      expect(['unknown', 'fenced', 'retriable']).toContain(error.kind)
      count(error.kind)
      await delay(20)
    }
  }
  active = false
  await (await direct.openTxWriter({ transactionalId: topic })).close()

  const logs = await Promise.all(
    [0, 1].map(async partition => {
      const tail = await direct.readTail({ topic, partition, count: 1_000_000 })
      return tail.map(({ value }) => value.toString())
    }),
  )
  const there = new Set(logs.flat().map(text => Number(text.split(':')[0])))
  for (const { id, outcome } of batches) if (outcome === 'committed') expect(there, `batch ${id}`).toContain(id)
  // Order, no double, no half: each partition is exactly what the batches that are there make.
  for (const [partition, log] of logs.entries()) {
    const expected = batches
      .filter(({ id }) => there.has(id))
      .flatMap(batch => recordsOf(topic, batch))
      .filter(record => record.partition === partition)
      .map(({ value }) => value.toString())
    expect(log).toEqual(expected)
  }
  const { faults } = proxied.proxy
  console.info(`seed ${seed}: ${JSON.stringify(faults)}, ${JSON.stringify([...kinds])}`)
  // A slow machine does little in the time; none at all would have shown nothing.
  expect(kinds.get('committed')).toBeGreaterThan(3)
  expect(faults.reset + faults.halve + faults.drop).toBeGreaterThan(0)
})
