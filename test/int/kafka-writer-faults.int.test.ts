import { describe, expect, it } from 'vitest'
import type { TxWriter } from '../../runtime/kafka/port.ts'
import type { Api } from '../faults/kafka-frames.ts'
import {
  batch,
  failureOf,
  KafkaBehindProxy,
  limits,
  record,
  slackMs,
  soon,
  timed,
} from '../faults/kafka-behind-proxy.ts'

const kafka = new KafkaBehindProxy('kafka_faults')

/** What the owner does after a doubt: fence, then read what there is. Nothing of the old writer can come after. */
const fenceAndRead = async (topic: string): Promise<string[]> => {
  await (await kafka.direct.openTxWriter({ transactionalId: topic })).close()
  return kafka.readAll(topic)
}
const writerOf = async (topic: string): Promise<TxWriter> => {
  const writer = await kafka.open().openTxWriter({ transactionalId: topic })
  await writer.commitBatch({ records: [record(topic, 'first')] })
  return writer
}

describe('a client that begins behind the proxy', () => {
  it('stays behind it', async () => {
    const topic = await kafka.newTopic()
    const before = kafka.proxy.connections
    const writer = await writerOf(topic)
    await writer.close()
    expect(kafka.proxy.connections).toBeGreaterThan(before)
    expect(kafka.frames.requests.get('EndTxn')).toBeGreaterThan(0)
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['first'])
  })
})

describe('a transaction whose', () => {
  it('answer to Produce is lost with the connection is asked again, and each record is there once', async () => {
    const topic = await kafka.newTopic()
    const writer = await writerOf(topic)
    const met = kafka.frames.next({
      api: 'Produce',
      part: 'answer',
      fault: ({ start }) => ({ kind: 'reset', at: start }),
    })
    await writer.commitBatch({ records: batch(topic) })
    await met
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it.each(['Produce', 'AddPartitionsToTxn', 'EndTxn'] as const)(
    'answer to %s never comes is unknown in bounded time, and wholly there or not at all',
    async api => {
      const topic = await kafka.newTopic()
      const writer = await writerOf(topic)
      const met = kafka.frames.next({ api, part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
      const { ms, result } = await timed(failureOf(writer.commitBatch({ records: batch(topic) })))
      await met
      expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'unknown' })
      expect(ms).toBeLessThan(limits.commitMs + slackMs)
      const expected = api === 'EndTxn' ? ['first', 'a', 'b', 'c'] : ['first']
      expect(await fenceAndRead(topic)).toEqual(expected)
      const closing = await timed(writer.close())
      expect(closing.ms).toBeLessThan(limits.closeMs + slackMs)
    },
  )

  it('answer to EndTxn is lost with the connection is unknown: it was committed, and the writer is spent', async () => {
    const topic = await kafka.newTopic()
    const writer = await writerOf(topic)
    const met = kafka.frames.next({
      api: 'EndTxn',
      part: 'answer',
      fault: ({ start }) => ({ kind: 'reset', at: start }),
    })
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    await met
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it('answer to EndTxn comes after the request timeout is unknown, though it was committed', async () => {
    const topic = await kafka.newTopic()
    const writer = await writerOf(topic)
    const ms = limits.requestMs * 2
    void kafka.frames.next({ api: 'EndTxn', part: 'answer', fault: () => ({ kind: 'delay', ms }) })
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it.each(['Produce', 'EndTxn'] as const)(
    '%s request is cut off in its middle is wholly there or not at all',
    async api => {
      const topic = await kafka.newTopic()
      const writer = await writerOf(topic)
      const met = kafka.frames.next({
        api,
        part: 'request',
        fault: ({ start, end }) => ({ kind: 'reset', at: Math.floor((start + end) / 2) }),
      })
      const outcome = await failureOf(writer.commitBatch({ records: batch(topic) }))
      await met
      const there = await fenceAndRead(topic)
      if (outcome === 'it resolved') expect(there).toEqual(['first', 'a', 'b', 'c'])
      else expect([['first'], ['first', 'a', 'b', 'c']]).toContainEqual(there)
      await writer.close()
    },
  )

  it('answer to Produce comes by half is asked again or unknown, never both', async () => {
    const topic = await kafka.newTopic()
    const writer = await writerOf(topic)
    void kafka.frames.next({ api: 'Produce', part: 'answer', fault: () => ({ kind: 'halve' }) })
    const outcome = await failureOf(writer.commitBatch({ records: batch(topic) }))
    const there = await fenceAndRead(topic)
    if (outcome === 'it resolved') expect(there).toEqual(['first', 'a', 'b', 'c'])
    else expect(outcome).toMatchObject({ kind: 'unknown' })
    await writer.close()
  })
})

describe('group offsets in a transaction', () => {
  it.each(['TxnOffsetCommit', 'EndTxn'] as const)(
    'stand or fall with its records when the answer to %s is lost',
    async api => {
      const topic = await kafka.newTopic()
      await kafka.direct.admin.setOffsets({
        group: topic,
        topic,
        offsets: new Map([[0, { offset: 0n, metadata: '' }]]),
      })
      const writer = await writerOf(topic)
      void kafka.frames.next({ api, part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start }) })
      const groupOffset = { group: topic, topic, partition: 0, offset: 7n, metadata: 'ref=7' }
      const outcome = await failureOf(writer.commitBatch({ records: batch(topic), groupOffset }))
      if (outcome !== 'it resolved') expect(outcome).toMatchObject({ kind: 'unknown' })
      const there = await fenceAndRead(topic)
      const committed = there.length > 1
      expect(there).toEqual(committed ? ['first', 'a', 'b', 'c'] : ['first'])
      const offset = async () => (await kafka.direct.committed({ group: topic, topic })).get(0)?.offset
      await expect.poll(offset, soon).toBe(committed ? 7n : 0n)
      await writer.close()
    },
  )
})

describe('a fence', () => {
  it.each(['Produce', 'EndTxn'] as const)('stands against the late %s of the writer before', async api => {
    const topic = await kafka.newTopic()
    const old = await writerOf(topic)
    const released = Promise.withResolvers<void>()
    const met = kafka.frames.next({
      api,
      part: 'request',
      fault: ({ start }) => ({ kind: 'hold', at: start, until: released.promise }),
    })
    const late = failureOf(old.commitBatch({ records: batch(topic) }))
    await met
    const next = await kafka.direct.openTxWriter({ transactionalId: topic })
    expect(await kafka.readAll(topic)).toEqual(['first'])
    await next.commitBatch({ records: [record(topic, 'next')] })
    released.resolve()
    expect(await late).toMatchObject({ name: 'KafkaFailure' })
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['first', 'next'])
    await next.commitBatch({ records: [record(topic, 'after')] })
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['first', 'next', 'after'])
    await Promise.all([old.close(), next.close()])
  })

  it('happens when the writer opens, before it has written anything', async () => {
    const topic = await kafka.newTopic()
    const old = await writerOf(topic)
    const inits = kafka.frames.requests.get('InitProducerId') ?? 0
    const next = await kafka.open().openTxWriter({ transactionalId: topic })
    expect(kafka.frames.requests.get('InitProducerId')).toBeGreaterThan(inits)
    expect(await failureOf(old.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'fenced' })
    await Promise.all([old.close(), next.close()])
  })

  it('that meets a silent broker is given up in bounded time, and the next one works', async () => {
    const topic = await kafka.newTopic()
    const one = kafka.open()
    void kafka.frames.next({
      api: 'InitProducerId',
      part: 'answer',
      fault: ({ start }) => ({ kind: 'drop', at: start }),
    })
    const { ms, result } = await timed(failureOf(one.openTxWriter({ transactionalId: topic })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.threadStartMs + limits.openWriterMs + slackMs)
    const writer = await one.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'x')] })
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['x'])
    await writer.close()
  })

  it('that meets a broker which takes connections and says nothing is given up in bounded time', async () => {
    const one = kafka.open()
    kafka.proxy.pause()
    const { ms, result } = await timed(failureOf(one.openTxWriter({ transactionalId: `${kafka.stem}_silent` })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.threadStartMs + limits.openWriterMs + slackMs)
  })

  it('that meets a closed door is given up in bounded time, and works once it is open', async () => {
    const topic = await kafka.newTopic()
    const one = kafka.open()
    kafka.proxy.refuse()
    const { ms, result } = await timed(failureOf(one.openTxWriter({ transactionalId: topic })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.threadStartMs + limits.openWriterMs + slackMs)
    await kafka.proxy.accept()
    const writer = await one.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'x')] })
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['x'])
    await writer.close()
  })
})

/** Frames of any kind, in case a scenario's aim is off: it would pass without having met its fault. */
describe('the aim', () => {
  it('is at frames that go by', async () => {
    const topic = await kafka.newTopic()
    const met: Api[] = []
    const stop = kafka.frames.each(({ api, part }) => {
      if (api !== 'other' && part === 'answer') met.push(api)
      return null
    })
    const writer = await writerOf(topic)
    await writer.close()
    stop()
    expect(met).toEqual(expect.arrayContaining(['InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn']))
  })
})
