import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Assignment, KafkaPort, KafkaRecord, OutgoingRecord } from '../../runtime/kafka/port.ts'
import { readTopic } from '../pipeline/read-topic.ts'

export type KafkaUnderContract = {
  /** Another client of the same broker at each call. */
  readonly openClient: () => KafkaPort
  /** Begins every name, so that runs against one broker do not meet. */
  readonly stem: string
}

// A commit is durable when it resolves; its markers, which make it visible, follow a moment later.
const visible = { timeout: 10_000, interval: 10 }

const record = (topic: string, text: string, partition = 0): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(text),
  timestampMs: 5n,
})
const tooLarge = (topic: string, partition: number): OutgoingRecord => ({
  ...record(topic, '', partition),
  value: Buffer.alloc(20 * 1024 * 1024),
})
const texts = (records: readonly { readonly value: Buffer }[]): string[] => records.map(({ value }) => value.toString())

/** What every KafkaPort must do, because the services rely on it. */
export const kafkaContract = (start: () => Promise<KafkaUnderContract>): void => {
  let under: KafkaUnderContract
  let kafka: KafkaPort
  let other: KafkaPort
  let names = 0

  beforeAll(async () => {
    under = await start()
    kafka = under.openClient()
    other = under.openClient()
  })
  afterAll(() => Promise.all([kafka.close(), other.close()]))

  const newName = (): string => `${under.stem}_${++names}`
  const newTopic = async (partitions: number): Promise<string> => {
    const topic = newName()
    await kafka.admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
    // A broker may be told that it leads a partition a moment after others know.
    await expect.poll(async () => (await kafka.bounds(topic)).size, visible).toBe(partitions)
    return topic
  }
  /** A topic with a group of its name; a broker that has just started elects the group's coordinator first. */
  const newGroup = async (): Promise<string> => {
    const topic = await newTopic(1)
    await kafka.admin.setOffsets({ group: topic, topic, offsets: new Map([[0, { offset: 0n, metadata: '' }]]) })
    return topic
  }
  const endOf = async (topic: string): Promise<bigint> => (await kafka.bounds(topic)).get(0)?.end ?? -1n

  const readRecords = (topic: string, partition = 0): Promise<KafkaRecord[]> => readTopic(other, topic, partition)
  const readAll = async (topic: string, partition = 0): Promise<string[]> => texts(await readRecords(topic, partition))

  /** Leaves a transaction open with records in partition 0, as a bridge does that dies: partition 1 refuses its part. */
  const leaveOpen = async (topic: string, transactionalId: string, count: number): Promise<void> => {
    const writer = await kafka.openTxWriter({ transactionalId })
    const lost = Array.from({ length: count }, (_, i) => record(topic, `lost${i}`))
    await expect(writer.commitBatch({ records: [...lost, tooLarge(topic, 1)] })).rejects.toMatchObject({
      kind: 'fatal',
    })
    await writer.close()
  }
  const fence = async (transactionalId: string): Promise<void> => {
    await (await other.openTxWriter({ transactionalId })).close()
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

    it('keeps the order of its transactions, and leaves a hole in the offsets after each', async () => {
      const topic = await newTopic(1)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      const all = Array.from({ length: 20 }, (_, i) => `${i}`)
      for (const text of all) await writer.commitBatch({ records: [record(topic, text)] })
      await writer.close()
      await expect.poll(() => readAll(topic), visible).toEqual(all)
      expect((await readRecords(topic)).map(({ offset }) => offset)).toEqual(all.map((_, i) => BigInt(i) * 2n))
      expect((await kafka.bounds(topic)).get(0)).toEqual({ low: 0n, end: 40n })
    })

    it('keeps key, value and time of a record', async () => {
      const topic = await newTopic(1)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      const sent = { ...record(topic, ''), key: Buffer.from('k'), value: Buffer.from([0, 255]), timestampMs: 1_700n }
      await writer.commitBatch({ records: [sent] })
      await writer.close()
      const { key, value, timestampMs } = sent
      await expect.poll(() => readRecords(topic), visible).toEqual([{ offset: 0n, key, value, timestampMs }])
    })

    it('is fenced by the next of the same id, at once, though that one has written nothing', async () => {
      const topic = await newTopic(1)
      const old = await kafka.openTxWriter({ transactionalId: topic })
      await old.commitBatch({ records: [record(topic, 'mine')] })
      const next = await other.openTxWriter({ transactionalId: topic })
      await expect(old.commitBatch({ records: [record(topic, 'late')] })).rejects.toMatchObject({ kind: 'fenced' })
      // And stays so: a writer is of no use after its first error.
      await expect(old.commitBatch({ records: [record(topic, 'late')] })).rejects.toMatchObject({ kind: 'unknown' })
      await next.commitBatch({ records: [record(topic, 'next')] })
      await expect.poll(() => readAll(topic), visible).toEqual(['mine', 'next'])
      await Promise.all([old.close(), next.close()])
    })

    it('proves that it was not fenced, at any time and changing nothing, until the next of its id comes', async () => {
      const topic = await newGroup()
      const as = { group: topic, topic, partition: 0 }
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      const before = await kafka.committed({ group: topic, topic })
      await writer.proveUnfenced(as)
      await writer.commitBatch({ records: [record(topic, 'one')] })
      await writer.proveUnfenced(as)
      await writer.proveUnfenced(as)
      await writer.commitBatch({ records: [record(topic, 'two')] })
      await expect.poll(() => readAll(topic), visible).toEqual(['one', 'two'])
      expect(await kafka.committed({ group: topic, topic })).toEqual(before)
      await fence(topic)
      await expect(writer.proveUnfenced(as)).rejects.toMatchObject({ kind: 'fenced' })
      await expect(writer.proveUnfenced(as)).rejects.toMatchObject({ kind: 'unknown' })
      await writer.close()
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

    it('carries the largest output and the largest batch that the bridge is set to write, both ways', async () => {
      const topic = newName()
      const config = { 'max.message.bytes': `${8 * 1024 * 1024}` }
      await kafka.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config }])
      await expect.poll(async () => (await kafka.bounds(topic)).size, visible).toBe(1)
      const mebibytes = [4, 1.9]
      const values = mebibytes.map((mib, i) => Buffer.alloc(mib * 1024 * 1024, i + 1))
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: values.map(value => ({ ...record(topic, ''), value })) })
      await writer.close()
      await expect.poll(async () => (await readRecords(topic)).length, visible).toBe(2)
      const read = await readRecords(topic)
      expect(read.map(({ value }, i) => value.equals(values[i] as Buffer))).toEqual([true, true])
    })

    it('says that a record is too large, and leaves nothing behind', async () => {
      const topic = await newTopic(1)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await expect(writer.commitBatch({ records: [record(topic, 'small'), tooLarge(topic, 0)] })).rejects.toMatchObject(
        { kind: 'fatal' },
      )
      await writer.close()
      await fence(topic)
      await expect.poll(() => readAll(topic), visible).toEqual([])
    })
  })

  describe('a transaction that is open', () => {
    it('hides itself and everything behind it, until the next of its id ends it: then it is gone', async () => {
      const topic = await newTopic(2)
      const [doomed, bystander] = [newName(), newName()]
      await leaveOpen(topic, doomed, 3)
      const writer = await kafka.openTxWriter({ transactionalId: bystander })
      await writer.commitBatch({ records: [record(topic, 'behind')] })
      await writer.close()
      expect(await readAll(topic)).toEqual([])
      expect(await endOf(topic)).toBe(0n)
      expect(await kafka.readTail({ topic, partition: 0, count: 9 })).toEqual([])
      await fence(doomed)
      await expect.poll(() => readAll(topic), visible).toEqual(['behind'])
    })

    it('is waited out by the next writer: what it finds in the log then is all there will ever be', async () => {
      const topic = await newTopic(2)
      await leaveOpen(topic, topic, 3)
      const next = await other.openTxWriter({ transactionalId: topic })
      const end = await endOf(topic)
      expect(end).toBeGreaterThan(3n)
      expect(await readAll(topic)).toEqual([])
      await next.commitBatch({ records: [record(topic, 'x')] })
      await next.close()
      await expect.poll(async () => (await readRecords(topic)).map(({ offset }) => offset), visible).toEqual([end])
    })
  })

  describe('a group offset in a transaction', () => {
    const groupOffset = (topic: string, offset: bigint) => ({
      group: topic,
      topic,
      partition: 0,
      offset,
      metadata: `ref=${offset}`,
    })

    it('is committed with its records, metadata and all', async () => {
      const topic = await newGroup()
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: [record(topic, 'x')], groupOffset: groupOffset(topic, 7n) })
      const committed = new Map([[0, { offset: 7n, metadata: 'ref=7' }]])
      await expect.poll(() => other.committed({ group: topic, topic }), visible).toEqual(committed)
      await writer.close()
    })

    it('of a writer that is fenced moves nothing', async () => {
      const topic = await newGroup()
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: [record(topic, 'x')], groupOffset: groupOffset(topic, 7n) })
      const next = await other.openTxWriter({ transactionalId: topic })
      const late = writer.commitBatch({ records: [record(topic, 'y')], groupOffset: groupOffset(topic, 8n) })
      await expect(late).rejects.toMatchObject({ kind: 'fenced' })
      await next.commitBatch({ records: [record(topic, 'z')] })
      await expect.poll(() => readAll(topic), visible).toEqual(['x', 'z'])
      expect((await kafka.committed({ group: topic, topic })).get(0)).toEqual({ offset: 7n, metadata: 'ref=7' })
      await Promise.all([writer.close(), next.close()])
    })

    it('does not ask whether the group has members', async () => {
      const topic = await newGroup()
      const watching = watch()
      const member = await other.join({ group: topic, topic, ...watching })
      await watching.until(({ partitions }) => partitions.length === 1)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: [record(topic, 'x')], groupOffset: groupOffset(topic, 9n) })
      await expect.poll(async () => (await kafka.committed({ group: topic, topic })).get(0)?.offset, visible).toBe(9n)
      await Promise.all([writer.close(), member.leave()])
    })
  })

  describe('tails', () => {
    it('are found behind any number of records that were aborted', async () => {
      const topic = await newTopic(2)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: [record(topic, 'a'), record(topic, 'b')] })
      await writer.close()
      for (let i = 0; i < 3; i++) await leaveOpen(topic, topic, 300)
      await fence(topic)
      expect(await endOf(topic)).toBeGreaterThan(900n)
      expect(texts(await kafka.readTail({ topic, partition: 0, count: 1 }))).toEqual(['b'])
      expect(texts(await kafka.readTail({ topic, partition: 0, count: 9 }))).toEqual(['a', 'b'])
      expect(texts(await kafka.readTail({ topic, partition: 0, count: 1, before: 1n }))).toEqual(['a'])
      expect(texts(await kafka.readTail({ topic, partition: 0, count: 1, before: 700n }))).toEqual(['b'])
      expect(await kafka.readTail({ topic, partition: 0, count: 1, before: 0n })).toEqual([])
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

    it('comes back with nothing from the end, and with what is written while it waits', async () => {
      const topic = await newTopic(1)
      const fetcher = kafka.openFetcher()
      const askedMs = performance.now()
      expect(await fetcher.read({ topic, partition: 0, offset: 0n })).toEqual({ records: [], next: 0n })
      // Not at once, or whoever follows would ask without end.
      expect(performance.now() - askedMs).toBeGreaterThan(10)
      const writer = await other.openTxWriter({ transactionalId: topic })
      const found: string[] = []
      const following = async (): Promise<void> => {
        for (let offset = 0n; found.length === 0; ) {
          const { records, next } = await fetcher.read({ topic, partition: 0, offset })
          found.push(...texts(records))
          offset = next
        }
      }
      await Promise.all([following(), writer.commitBatch({ records: [record(topic, 'x')] })])
      expect(found).toEqual(['x'])
      await Promise.all([fetcher.close(), writer.close()])
    })

    it('begins in the middle of a batch, and brings at least one record whatever its size', async () => {
      const topic = await newTopic(1)
      const writer = await kafka.openTxWriter({ transactionalId: topic })
      await writer.commitBatch({ records: ['a', 'b', 'c'].map(text => record(topic, text.repeat(1000))) })
      await writer.close()
      await expect.poll(() => endOf(topic), visible).toBe(4n)
      const fetcher = kafka.openFetcher()
      const { records } = await fetcher.read({ topic, partition: 0, offset: 1n, maxBytes: 1 })
      expect(records[0]).toMatchObject({ offset: 1n, value: Buffer.from('b'.repeat(1000)) })
      await fetcher.close()
      await expect(fetcher.read({ topic, partition: 0, offset: 0n })).rejects.toMatchObject({ kind: 'retriable' })
    })
  })

  describe('a group', () => {
    it('takes offsets only while it has no member', async () => {
      const topic = await newTopic(1)
      const offsets = new Map([[0, { offset: 0n, metadata: 'n=0 pos=0' }]])
      expect(await kafka.committed({ group: topic, topic })).toEqual(new Map())
      expect(await kafka.admin.members(topic)).toEqual([])
      await kafka.admin.setOffsets({ group: topic, topic, offsets })
      expect(await other.committed({ group: topic, topic })).toEqual(offsets)
      const watching = watch()
      const member = await other.join({ group: topic, topic, ...watching })
      await watching.until(({ partitions }) => partitions.length === 1)
      expect(await kafka.admin.members(topic)).toEqual([{ clientId: expect.any(String), host: expect.any(String) }])
      await expect(kafka.admin.setOffsets({ group: topic, topic, offsets })).rejects.toThrow(/member/)
      await member.leave()
      await expect.poll(() => kafka.admin.members(topic), visible).toEqual([])
      const later = new Map([[0, { offset: 1n, metadata: 'n=1 pos=1' }]])
      await kafka.admin.setOffsets({ group: topic, topic, offsets: later })
      expect(await other.committed({ group: topic, topic })).toEqual(later)
    })

    it('shares partitions, and a commit under an assignment that is over is refused', async () => {
      const topic = await newTopic(2)
      const first = watch()
      const memberA = await kafka.join({ group: topic, topic, ...first })
      const alone = await first.until(({ partitions }) => partitions.length === 2)
      await memberA.commit(alone, 1, { offset: 3n, metadata: 'n=3 pos=4' })
      expect((await kafka.committed({ group: topic, topic })).get(1)).toEqual({ offset: 3n, metadata: 'n=3 pos=4' })
      const second = watch()
      const memberB = await other.join({ group: topic, topic, ...second })
      const shares = await Promise.all(
        [first, second].map(one => one.until(({ partitions }) => partitions.length === 1)),
      )
      expect(shares.flatMap(({ partitions }) => partitions).toSorted((a, b) => a - b)).toEqual([0, 1])
      const late = memberA.commit(alone, 1, { offset: 9n, metadata: '' })
      await expect(late).rejects.toMatchObject({ kind: 'superseded' })
      expect((await kafka.committed({ group: topic, topic })).get(1)?.offset).toBe(3n)
      await memberB.leave()
      await first.until(({ partitions, generation }) => partitions.length === 2 && generation > alone.generation)
      await memberA.leave()
    })

    it('that is being joined is left when that is given up', async () => {
      const topic = await newGroup()
      const watching = watch()
      const stopping = new AbortController()
      const joining = kafka.join({ group: topic, topic, ...watching, signal: stopping.signal })
      stopping.abort()
      await expect(joining).rejects.toMatchObject({ kind: 'superseded' })
      await expect.poll(() => kafka.admin.members(topic), visible).toEqual([])
    })

    it('gives one partition to one member; when that one leaves, to the other', async () => {
      const topic = await newTopic(1)
      const watches = [watch(), watch()] as const
      const members = [
        await kafka.join({ group: topic, topic, ...watches[0] }),
        await other.join({ group: topic, topic, ...watches[1] }),
      ] as const
      const settled = (): boolean =>
        watches.every(({ last }) => last() !== null) &&
        watches.flatMap(({ last }) => last()?.partitions ?? []).length === 1
      await expect.poll(settled, { timeout: 30_000, interval: 20 }).toBe(true)
      const owner = watches[0].last()?.partitions.length === 1 ? 0 : 1
      await members[owner].leave()
      await watches[1 - owner]?.until(({ partitions }) => partitions.length === 1)
      await members[1 - owner]?.leave()
    })
  })

  describe('the owner of a partition', () => {
    it('is who the coordinator says, and moves on when that one leaves', async () => {
      const topic = await newTopic(1)
      const watches = [watch(), watch()] as const
      const first = await kafka.join({ group: topic, topic, ...watches[0] })
      await watches[0].until(({ partitions }) => partitions.length === 1)
      expect(await first.owner(0)).toBe('this member')
      expect(await first.owner(1)).toBe('nobody')
      const second = await other.join({ group: topic, topic, ...watches[1] })
      const owners = async () => [await first.owner(0), await second.owner(0)].toSorted()
      await expect.poll(owners, { timeout: 30_000, interval: 20 }).toEqual(['another member', 'this member'])
      const firstOwns = (await first.owner(0)) === 'this member'
      const [leaver, stayer] = firstOwns ? [first, second] : [second, first]
      await leaver.leave()
      await expect.poll(() => stayer.owner(0), { timeout: 30_000, interval: 20 }).toBe('this member')
      expect(await leaver.owner(0)).toBe('another member')
      await stayer.leave()
      await expect.poll(() => stayer.owner(0), { timeout: 30_000, interval: 20 }).toBe('nobody')
    })
  })

  describe("the broker's clock", () => {
    const newClock = async (config: Record<string, string>): Promise<string> => {
      const topic = newName()
      await kafka.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config }])
      await expect.poll(async () => (await kafka.bounds(topic)).size, visible).toBe(1)
      return topic
    }

    it('is what it stamps a probe with', async () => {
      const topic = await newClock({ 'message.timestamp.type': 'LogAppendTime' })
      const [first, second] = [await kafka.brokerTimeMs(topic), await kafka.brokerTimeMs(topic)]
      expect(second).toBeGreaterThanOrEqual(first)
      const stamps = async () => (await readRecords(topic)).map(({ timestampMs }) => timestampMs)
      await expect.poll(stamps, visible).toEqual([first, second])
    })

    it('is not to be had from a topic that keeps the time of its writers', async () => {
      const topic = await newClock({})
      const asked = kafka.brokerTimeMs(topic)
      await expect(asked).rejects.toMatchObject({ kind: 'fatal', message: expect.stringContaining(topic) })
      await expect(kafka.brokerTimeMs(newName())).rejects.toMatchObject({ name: 'KafkaFailure' })
    })
  })

  describe('what is asked about a topic', () => {
    it('is answered the same while others are asked about', async () => {
      const topic = await newGroup()
      const others = await Promise.all(Array.from({ length: 10 }, () => newTopic(1)))
      const client = under.openClient()
      // One after the other, until the last of the others is known too.
      const counts = (async () => {
        for (const known of others) expect((await client.admin.partitionCounts([known])).get(known)).toBe(1)
        return 'counted' as const
      })()
      while ((await Promise.race([counts, Promise.resolve('counting')])) !== 'counted') {
        const [bounds, offsets] = await Promise.all([client.bounds(topic), client.committed({ group: topic, topic })])
        expect(bounds).toEqual(new Map([[0, { low: 0n, end: 0n }]]))
        expect(offsets).toEqual(new Map([[0, { offset: 0n, metadata: '' }]]))
      }
      await client.close()
    })
  })

  describe('topics', () => {
    it('are made when missing, and stay as they are when there', async () => {
      const topic = newName()
      const spec = { topic, partitions: 2, replicationFactor: 1, config: { 'max.message.bytes': '2000000' } }
      expect(await kafka.admin.createTopics([spec])).toEqual([topic])
      expect(await kafka.admin.createTopics([{ ...spec, partitions: 5 }])).toEqual([])
      expect(await other.admin.partitionCounts([topic, newName()])).toEqual(new Map([[topic, 2]]))
      expect(await kafka.admin.topicConfig(topic, ['max.message.bytes', 'message.timestamp.type'])).toEqual(
        new Map([
          ['max.message.bytes', '2000000'],
          ['message.timestamp.type', 'CreateTime'],
        ]),
      )
    })

    it('that are deleted take what groups committed of them along', async () => {
      const topic = await newTopic(1)
      const offsets = new Map([[0, { offset: 0n, metadata: 'n=0 pos=0' }]])
      await kafka.admin.setOffsets({ group: topic, topic, offsets })
      await kafka.admin.deleteTopics([topic])
      await expect.poll(() => kafka.admin.partitionCounts([topic]), visible).toEqual(new Map())
      await expect(kafka.bounds(topic)).rejects.toMatchObject({ kind: 'retriable' })
      await expect(kafka.committed({ group: topic, topic })).rejects.toMatchObject({ kind: 'retriable' })
      const spec = { topic, partitions: 1, replicationFactor: 1, config: {} }
      expect(await kafka.admin.createTopics([spec])).toEqual([topic])
      await expect.poll(() => kafka.committed({ group: topic, topic }), visible).toEqual(new Map())
    })
  })
}

type Watch = {
  readonly onAssignment: (assignment: Assignment) => void
  readonly onFailure: (error: Error) => void
  readonly last: () => Assignment | null
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
  return { onAssignment, onFailure, last: () => last, until }
}
