import type { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { kafkaLimits } from './limits.ts'
import type { KafkaFailureKind, OutgoingRecord } from './port.ts'
import type { Step } from './testing/scripted-writer-thread.ts'
import { ThreadedTxWriter } from './threaded-tx-writer.ts'

/** What hangs is given up soon. */
const limits = { ...kafkaLimits, commitMs: 300, closeMs: 300, threadMs: 300 }
const opened: ThreadedTxWriter[] = []

const open = async (...steps: readonly Step[]): Promise<ThreadedTxWriter> => {
  const writer = await ThreadedTxWriter.open({
    client: { brokers: [], clientId: 'test', limits },
    transactionalId: steps.join(' '),
    log: pino({ level: 'silent' }),
    entry: new URL('testing/scripted-writer-thread.ts', import.meta.url),
  })
  opened.push(writer)
  return writer
}
const record: OutgoingRecord = { topic: 'a', partition: 0, key: null, value: Buffer.from('x'), timestampMs: 1n }
const batch = { records: [record] }
const reader = { group: 'g', topic: 'a', partition: 0 }

const begun: Worker[] = []
const hear = (worker: Worker): void => void begun.push(worker)
beforeAll(() => void process.on('worker', hear))
afterAll(() => void process.off('worker', hear))
/** Threads that have not ended. */
const threads = (): number => begun.filter(({ threadId }) => threadId !== -1).length

afterEach(() => Promise.all(opened.splice(0).map(writer => writer.close())))

describe('a writer in a thread of its own', () => {
  it('commits what the thread says it has committed, again and again', async () => {
    const writer = await open('well', 'well', 'well')
    expect(threads()).toBe(1)
    await writer.commitBatch(batch)
    await writer.commitBatch({ records: [record, record] })
  })

  it.each(['fenced', 'unknown', 'fatal'] satisfies KafkaFailureKind[])(
    'that failed is %s as it was in there, and of no more use',
    async kind => {
      const writer = await open('well', kind)
      await expect(writer.commitBatch(batch)).rejects.toMatchObject({
        name: 'KafkaFailure',
        kind,
        message: `${kind}, as it was told in there`,
      })
      await expect(writer.commitBatch(batch)).rejects.toMatchObject({ kind: 'unknown' })
      expect(threads()).toBe(0)
    },
  )

  it.each([
    ['ends', 'end', 'its thread ended with code 7'],
    ['throws', 'throw', 'its thread failed: a bug'],
    ['rejects and nobody hears', 'reject', 'its thread failed: a bug that waited'],
    ['hangs', 'loop', 'not done within'],
    ['says nothing', 'nothing', 'not done within'],
    ['says what it may not', 'retriable', 'retriable, as it was told in there'],
  ] as const)(
    'whose thread %s with a transaction in its hands is in doubt, and the thread is gone',
    async (_, step, why) => {
      const writer = await open('well', step)
      await expect(writer.commitBatch(batch)).rejects.toMatchObject({
        name: 'KafkaFailure',
        kind: 'unknown',
        message: expect.stringContaining(why),
      })
      await expect(writer.commitBatch(batch)).rejects.toMatchObject({ kind: 'unknown' })
      expect(threads()).toBe(0)
    },
  )

  it.each([
    ['ends', 'end', 'its thread ended with code 7'],
    ['throws', 'throw', 'its thread failed: a bug'],
    ['fails', 'retriable', 'retriable, as it was told in there'],
  ] as const)('whose thread %s when it opens is asked for again, and the thread is gone', async (_, step, why) => {
    await expect(open(step)).rejects.toMatchObject({
      name: 'KafkaFailure',
      kind: 'retriable',
      message: expect.stringContaining(why),
    })
    expect(threads()).toBe(0)
  })

  it('that is refused for good when it opens says so', async () => {
    await expect(open('fatal')).rejects.toMatchObject({ kind: 'fatal' })
  })

  it('is unfenced when the thread says so, and what else it says when it does not', async () => {
    const writer = await open('well', 'well', 'well', 'fenced')
    await writer.proveUnfenced(reader)
    await writer.commitBatch(batch)
    await expect(writer.proveUnfenced(reader)).rejects.toMatchObject({ kind: 'fenced' })
    expect(threads()).toBe(0)
  })

  it('has one operation under way, and refuses another meanwhile', async () => {
    const writer = await open('well', 'well')
    const first = writer.commitBatch(batch)
    await expect(writer.commitBatch(batch)).rejects.toMatchObject({ kind: 'unknown' })
    await first
  })

  it.each(['well', 'loop', 'nothing', 'throw'] satisfies Step[])(
    'leaves no thread behind when it is closed, whatever that does: %s',
    async step => {
      const writer = await open('well', step)
      await writer.close()
      expect(threads()).toBe(0)
      await expect(writer.commitBatch(batch)).rejects.toMatchObject({ kind: 'unknown' })
    },
  )
})
