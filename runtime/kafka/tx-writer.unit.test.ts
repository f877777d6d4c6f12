import { describe, expect, it } from 'vitest'
import type { Client } from './client.ts'
import { type KafkaLimits, kafkaLimits } from './limits.ts'
import type { OutgoingRecord } from './port.ts'
import { GuardedTxWriter } from './tx-writer.ts'

type Ack = { readonly topicName: string; readonly partition: number; readonly errorCode: number }

/** A kafkajs that answers as told, to see what one broker alone cannot be made to do. */
const fakeClient = (answer: () => Promise<readonly Ack[]>) => {
  const done: string[] = []
  const settings: object[] = []
  const producer = {
    connect: async () => void done.push('connect'),
    disconnect: async () => void done.push('disconnect'),
    transaction: async () => ({
      sendBatch: async () => {
        done.push('send')
        return answer()
      },
      sendOffsets: async () => void done.push('offsets'),
      commit: async () => void done.push('commit'),
      abort: async () => void done.push('abort'),
    }),
  }
  const kafka = {
    producer: (given: object) => {
      settings.push(given)
      return producer
    },
  }
  const client = { kafka, reset: () => {}, cut: () => void done.push('cut') } as unknown as Client
  return { client, done, settings }
}
const record = (partition: number): OutgoingRecord => ({
  topic: 't',
  partition,
  key: null,
  value: Buffer.from('x'),
  timestampMs: 1n,
})
const ack = (partition: number, errorCode = 0): Ack => ({ topicName: 't', partition, errorCode })
const open = (client: Client, limits: Partial<KafkaLimits> = {}) =>
  GuardedTxWriter.open({ client, transactionalId: 'id', limits: { ...kafkaLimits, ...limits } })

describe('a transactional writer', () => {
  it('fences when it opens: by a transaction that it begins and aborts', async () => {
    const { client, done, settings } = fakeClient(async () => [])
    await open(client)
    expect(done).toEqual(['connect', 'abort'])
    expect(settings).toEqual([
      expect.objectContaining({
        transactionalId: 'id',
        idempotent: true,
        maxInFlightRequests: 1,
        transactionTimeout: 10_000,
        allowAutoTopicCreation: false,
      }),
    ])
  })

  it.each([
    ['one is missing', [ack(0)]],
    ['one came twice', [ack(0), ack(0), ack(1)]],
    ['one is of something else', [ack(0), ack(1), ack(2)]],
    ['one says an error', [ack(0), ack(1, 6)]],
    ['there are none', []],
  ])('commits nothing when of the acknowledgements %s', async (_, acks) => {
    const { client, done } = fakeClient(async () => acks)
    const writer = await open(client)
    const written = writer.commitBatch({ records: [record(0), record(1)] })
    await expect(written).rejects.toMatchObject({ name: 'KafkaFailure', kind: 'unknown' })
    expect(done).not.toContain('commit')
  })

  it('takes exactly one acknowledgement for each partition, then commits', async () => {
    const { client, done } = fakeClient(async () => [ack(1), ack(0)])
    const writer = await open(client)
    await writer.commitBatch({ records: [record(0), record(1), record(0)] })
    expect(done.at(-1)).toBe('commit')
  })

  it('has one operation under way, and refuses another meanwhile', async () => {
    const answer = Promise.withResolvers<readonly Ack[]>()
    const { client, done } = fakeClient(() => answer.promise)
    const writer = await open(client)
    const first = writer.commitBatch({ records: [record(0)] })
    await expect(writer.commitBatch({ records: [record(0)] })).rejects.toMatchObject({ kind: 'unknown' })
    expect(done.filter(step => step === 'send')).toHaveLength(1)
    answer.resolve([ack(0)])
    await first
  })

  it('is spent by its first error, and its connections are cut: nothing of it goes out later', async () => {
    const { client, done } = fakeClient(() => Promise.reject(new Error('lost')))
    const writer = await open(client)
    await expect(writer.commitBatch({ records: [record(0)] })).rejects.toMatchObject({ kind: 'unknown' })
    expect(done.at(-1)).toBe('cut')
    await expect(writer.commitBatch({ records: [record(0)] })).rejects.toMatchObject({ kind: 'unknown' })
    expect(done.filter(step => step === 'send')).toHaveLength(1)
  })

  it('gives up a broker that does not answer, within the limit, and is spent', async () => {
    const { client, done } = fakeClient(() => new Promise(() => {}))
    const writer = await open(client, { commitMs: 20 })
    await expect(writer.commitBatch({ records: [record(0)] })).rejects.toMatchObject({
      kind: 'unknown',
      message: expect.stringContaining('not done within 20 ms'),
    })
    expect(done.at(-1)).toBe('cut')
  })

  it('gives up a broker that does not answer its fence, within the limit, and cuts it off', async () => {
    const { client, done } = fakeClient(async () => [])
    const deaf = { ...client.kafka.producer(), connect: () => new Promise<void>(() => {}) }
    const opening = open(
      { ...client, kafka: { producer: () => deaf } as unknown as Client['kafka'] },
      { openWriterMs: 20 },
    )
    await expect(opening).rejects.toMatchObject({ kind: 'retriable', message: expect.stringContaining('20 ms') })
    expect(done).toEqual(['cut'])
  })

  it('is to be replaced before the sequence of a partition wraps', async () => {
    const { client, done } = fakeClient(async () => [ack(0)])
    const writer = await open(client, { maxRecordsPerWriter: 3 })
    await writer.commitBatch({ records: [record(0), record(0), record(0)] })
    await expect(writer.commitBatch({ records: [record(0)] })).rejects.toMatchObject({
      kind: 'unknown',
      message: 'transactional writer id has written 4 records; open another',
    })
    expect(done.filter(step => step === 'send')).toHaveLength(1)
    expect(kafkaLimits.maxRecordsPerWriter).toBeLessThanOrEqual(1_500_000_000)
  })
})
