import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { Assignment, KafkaPort, OutgoingRecord } from '../../runtime/kafka/port.ts'

const stem = `kafka_int_${process.pid}_${Date.now().toString(36)}`
let kafka: KafkaPort
let topics = 0

beforeAll(async () => {
  const stack = await up({ servers: ['kafka'] })
  kafka = openKafka({
    brokers: stack.kafka.brokers,
    clientId: stem,
    log: pino({ level: 'silent' }),
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
})
afterAll(() => kafka.close())

const newTopic = async (partitions: number): Promise<string> => {
  const topic = `${stem}_${++topics}`
  await kafka.admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
  return topic
}
const record = (topic: string, text: string, partition = 0): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(text),
  timestampMs: 5n,
})
// A commit is durable when it resolves; its marker, which makes it visible, follows a moment later.
const visible = { timeout: 10_000 }
const texts = (records: readonly { readonly value: Buffer }[]): string[] => records.map(({ value }) => value.toString())

const readAll = async (topic: string, partition = 0): Promise<string[]> => {
  const fetcher = kafka.openFetcher()
  const end = (await kafka.bounds(topic)).get(partition)?.end ?? 0n
  const found: string[] = []
  try {
    for (let offset = 0n; offset < end; ) {
      const { records, next } = await fetcher.read({ topic, partition, offset })
      found.push(...texts(records))
      offset = next
    }
  } finally {
    await fetcher.close()
  }
  return found
}

describe('a transactional writer', () => {
  it('writes all records of a batch, in order, over several partitions', async () => {
    const topic = await newTopic(3)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [0, 1, 2, 0].map((partition, i) => record(topic, `a${i}`, partition)) })
    await writer.commitBatch({ records: [record(topic, 'b', 0)] })
    await writer.close()
    await expect.poll(() => readAll(topic, 0), visible).toEqual(['a0', 'a3', 'b'])
    await expect.poll(() => readAll(topic, 2), visible).toEqual(['a2'])
  })

  it('is fenced by the next of the same id, at once, though that one has written nothing', async () => {
    const topic = await newTopic(1)
    const old = await kafka.openTxWriter({ transactionalId: topic })
    await old.commitBatch({ records: [record(topic, 'mine')] })
    const next = await kafka.openTxWriter({ transactionalId: topic })
    await expect(old.commitBatch({ records: [record(topic, 'late')] })).rejects.toMatchObject({ kind: 'fenced' })
    // And stays so: a writer is of no use after its first error.
    await expect(old.commitBatch({ records: [record(topic, 'late')] })).rejects.toMatchObject({ kind: 'unknown' })
    await next.commitBatch({ records: [record(topic, 'next')] })
    await expect.poll(() => readAll(topic), visible).toEqual(['mine', 'next'])
    await Promise.all([old.close(), next.close()])
  })

  it('refuses a second operation while one is under way', async () => {
    const topic = await newTopic(1)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    const first = writer.commitBatch({ records: [record(topic, 'one')] })
    await expect(writer.commitBatch({ records: [record(topic, 'two')] })).rejects.toMatchObject({ kind: 'unknown' })
    await first
    await writer.close()
    await expect.poll(() => readAll(topic), visible).toEqual(['one'])
  })

  it('says that a record is too large, and leaves nothing behind', async () => {
    const topic = await newTopic(1)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    const large = { ...record(topic, ''), value: Buffer.alloc(20 * 1024 * 1024) }
    await expect(writer.commitBatch({ records: [record(topic, 'small'), large] })).rejects.toMatchObject({
      kind: 'fatal',
    })
    await writer.close()
    const after = await kafka.openTxWriter({ transactionalId: topic })
    await after.close()
    await expect.poll(() => readAll(topic), visible).toEqual([])
  })

  it('commits a group offset with its records', async () => {
    const topic = await newTopic(1)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    const groupOffset = { group: topic, topic, partition: 0, offset: 7n, metadata: 'ref=3' }
    await writer.commitBatch({ records: [record(topic, 'x')], groupOffset })
    const committed = new Map([[0, { offset: 7n, metadata: 'ref=3' }]])
    await expect.poll(() => kafka.committed({ group: topic, topic }), visible).toEqual(committed)
    await writer.close()
  })
})

describe('tails', () => {
  it('are found behind any number of records that were aborted', async () => {
    const topic = await newTopic(1)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'a'), record(topic, 'b')] })
    // Each transaction that the next writer fences with its records in the log is aborted.
    for (let i = 0; i < 3; i++) {
      const doomed = await kafka.openTxWriter({ transactionalId: topic })
      const large = { ...record(topic, ''), value: Buffer.alloc(20 * 1024 * 1024) }
      const many = Array.from({ length: 300 }, (_, k) => record(topic, `gone${k}`))
      await expect(doomed.commitBatch({ records: [...many, large] })).rejects.toThrow()
      await doomed.close()
    }
    await (await kafka.openTxWriter({ transactionalId: topic })).close()
    expect(texts(await kafka.readTail({ topic, partition: 0, count: 1 }))).toEqual(['b'])
    expect(texts(await kafka.readTail({ topic, partition: 0, count: 9 }))).toEqual(['a', 'b'])
    expect(texts(await kafka.readTail({ topic, partition: 0, count: 1, before: 1n }))).toEqual(['a'])
    await writer.close()
  })

  it('of an empty topic are empty', async () => {
    expect(await kafka.readTail({ topic: await newTopic(1), partition: 0, count: 1 })).toEqual([])
  })
})

describe('a fetcher', () => {
  it('says when an offset is beyond the topic, and serves the other partitions', async () => {
    const topic = await newTopic(2)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'x', 1)] })
    const fetcher = kafka.openFetcher()
    const [lost, found] = await Promise.allSettled([
      fetcher.read({ topic, partition: 0, offset: 99n }),
      fetcher.read({ topic, partition: 1, offset: 0n }),
    ])
    expect(lost).toMatchObject({ status: 'rejected', reason: { kind: 'out-of-range' } })
    expect(found.status).toBe('fulfilled')
    await Promise.all([fetcher.close(), writer.close()])
  })
})

describe('a group', () => {
  it('takes offsets only while it has no member', async () => {
    const topic = await newTopic(1)
    const offsets = new Map([[0, { offset: 0n, metadata: 'n=0 pos=0' }]])
    await kafka.admin.setOffsets({ group: topic, topic, offsets })
    const assigned = Promise.withResolvers<Assignment>()
    const member = await kafka.join({
      group: topic,
      topic,
      onAssignment: assigned.resolve,
      onFailure: assigned.reject,
    })
    await assigned.promise
    await expect(kafka.admin.setOffsets({ group: topic, topic, offsets })).rejects.toThrow(/member/)
    await member.leave()
  })

  it('shares partitions, and a commit under an assignment that is over is refused', async () => {
    const topic = await newTopic(2)
    const first = watch()
    const memberA = await kafka.join({ group: topic, topic, ...first })
    const alone = await first.until(({ partitions }) => partitions.length === 2)
    await memberA.commit(alone, 1, { offset: 3n, metadata: 'n=3 pos=4' })
    expect((await kafka.committed({ group: topic, topic })).get(1)).toEqual({ offset: 3n, metadata: 'n=3 pos=4' })
    const second = watch()
    const memberB = await kafka.join({ group: topic, topic, ...second })
    await Promise.all([first, second].map(one => one.until(({ partitions }) => partitions.length === 1)))
    const late = memberA.commit(alone, 1, { offset: 9n, metadata: '' })
    await expect(late).rejects.toMatchObject({ kind: 'superseded' })
    await memberB.leave()
    await first.until(({ partitions, generation }) => partitions.length === 2 && generation > alone.generation)
    await memberA.leave()
  })
})

type Watch = {
  readonly onAssignment: (assignment: Assignment) => void
  readonly onFailure: (error: Error) => void
  readonly until: (condition: (assignment: Assignment) => boolean) => Promise<Assignment>
}

const watch = (): Watch => {
  let last: Assignment | null = null
  let failure: Error | null = null
  const until = async (condition: (assignment: Assignment) => boolean): Promise<Assignment> => {
    const reached = (): boolean => {
      if (failure) throw failure
      return last !== null && condition(last)
    }
    await expect.poll(reached, { timeout: 30_000, interval: 20 }).toBe(true)
    return last as unknown as Assignment
  }
  const onAssignment = (assignment: Assignment): void => {
    last = assignment
  }
  const onFailure = (error: Error): void => {
    failure = error
  }
  return { onAssignment, onFailure, until }
}
