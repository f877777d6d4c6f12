import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaLimits } from '../../runtime/kafka/limits.ts'
import type { Assignment, KafkaPort, Membership, OutgoingRecord, TxWriter } from '../../runtime/kafka/port.ts'
import { type Api, KafkaFrames } from '../faults/kafka-frames.ts'
import { TcpProxy } from '../faults/tcp-proxy.ts'

/** As far from each other as the usual ones, but short. */
const limits = {
  connectMs: 1000,
  requestMs: 1200,
  commitMs: 4000,
  openWriterMs: 6000,
  askMs: 4000,
  joinMs: 30_000,
  closeMs: 800,
} satisfies Partial<KafkaLimits>
const sessionTimeoutMs = 2000
/** A commit that ends in doubt does so within its limit; what is above is the machine's. */
const slackMs = 2500

const soon = { timeout: 30_000, interval: 20 }

const stem = `kafka_faults_${process.pid}_${Date.now().toString(36)}`
const frames = new KafkaFrames()
const opened: KafkaPort[] = []
let brokers: readonly string[]
let proxy: TcpProxy
/** Goes to the broker itself: sees what is true. */
let direct: KafkaPort
let names = 0

const client = (
  through: readonly string[],
  own: Partial<KafkaLimits> = {},
  sessionMs = sessionTimeoutMs,
): KafkaPort => {
  const port = openKafka({
    brokers: through,
    clientId: `${stem}_${opened.length}`,
    log: pino({ level: 'silent' }),
    sessionTimeoutMs: sessionMs,
    heartbeatIntervalMs: sessionMs / 10,
    limits: own,
  })
  opened.push(port)
  return port
}
const behindProxy = (): KafkaPort => client([proxy.address], limits)

beforeAll(async () => {
  const stack = await up({ servers: ['kafka'] })
  brokers = stack.kafka.brokers
  const [host = '', port] = stack.kafka.proxied.listen.split(':')
  proxy = await TcpProxy.open({
    target: { host, port: Number(port) },
    port: Number(stack.kafka.proxied.advertised.split(':')[1]),
    plan: frames.plan,
  })
  direct = client(brokers)
})
afterEach(async () => {
  frames.clear()
  proxy.resume()
  await proxy.accept()
})
afterAll(async () => {
  await Promise.all(opened.map(port => port.close()))
  await proxy.close()
})

const newTopic = async (partitions = 1): Promise<string> => {
  const topic = `${stem}_${++names}`
  await direct.admin.createTopics([{ topic, partitions, replicationFactor: 1, config: {} }])
  await expect.poll(async () => (await direct.bounds(topic)).size, soon).toBe(partitions)
  return topic
}
const record = (topic: string, text: string, partition = 0): OutgoingRecord => ({
  topic,
  partition,
  key: null,
  value: Buffer.from(text),
  timestampMs: 5n,
})
const readAll = async (topic: string, partition = 0): Promise<string[]> => {
  const tail = await direct.readTail({ topic, partition, count: 100_000 })
  return tail.map(({ value }) => value.toString())
}
/** What the owner does after a doubt: fence, then read what there is. Nothing of the old writer can come after. */
const fenceAndRead = async (topic: string): Promise<string[]> => {
  await (await direct.openTxWriter({ transactionalId: topic })).close()
  return readAll(topic)
}
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it resolved',
    error => error,
  )
const timed = async <T>(work: Promise<T>): Promise<{ readonly ms: number; readonly result: T }> => {
  const startMs = performance.now()
  const result = await work
  return { ms: performance.now() - startMs, result }
}
const writerOf = async (topic: string): Promise<TxWriter> => {
  const writer = await behindProxy().openTxWriter({ transactionalId: topic })
  await writer.commitBatch({ records: [record(topic, 'first')] })
  return writer
}
const batch = (topic: string): OutgoingRecord[] => ['a', 'b', 'c'].map(text => record(topic, text))

describe('a client that begins behind the proxy', () => {
  it('stays behind it', async () => {
    const topic = await newTopic()
    const before = proxy.connections
    const writer = await writerOf(topic)
    await writer.close()
    expect(proxy.connections).toBeGreaterThan(before)
    expect(frames.requests.get('EndTxn')).toBeGreaterThan(0)
    await expect.poll(() => readAll(topic), soon).toEqual(['first'])
  })
})

describe('a transaction whose', () => {
  it('answer to Produce is lost with the connection is asked again, and each record is there once', async () => {
    const topic = await newTopic()
    const writer = await writerOf(topic)
    const met = frames.next({ api: 'Produce', part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start }) })
    await writer.commitBatch({ records: batch(topic) })
    await met
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it.each(['Produce', 'AddPartitionsToTxn', 'EndTxn'] as const)(
    'answer to %s never comes is unknown in bounded time, and wholly there or not at all',
    async api => {
      const topic = await newTopic()
      const writer = await writerOf(topic)
      const met = frames.next({ api, part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
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
    const topic = await newTopic()
    const writer = await writerOf(topic)
    const met = frames.next({ api: 'EndTxn', part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start }) })
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    await met
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it('answer to EndTxn comes after the request timeout is unknown, though it was committed', async () => {
    const topic = await newTopic()
    const writer = await writerOf(topic)
    const ms = limits.requestMs * 2
    void frames.next({ api: 'EndTxn', part: 'answer', fault: () => ({ kind: 'delay', ms }) })
    expect(await failureOf(writer.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'unknown' })
    expect(await fenceAndRead(topic)).toEqual(['first', 'a', 'b', 'c'])
    await writer.close()
  })

  it.each(['Produce', 'EndTxn'] as const)(
    '%s request is cut off in its middle is wholly there or not at all',
    async api => {
      const topic = await newTopic()
      const writer = await writerOf(topic)
      const met = frames.next({
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
    const topic = await newTopic()
    const writer = await writerOf(topic)
    void frames.next({ api: 'Produce', part: 'answer', fault: () => ({ kind: 'halve' }) })
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
      const topic = await newTopic()
      await direct.admin.setOffsets({ group: topic, topic, offsets: new Map([[0, { offset: 0n, metadata: '' }]]) })
      const writer = await writerOf(topic)
      void frames.next({ api, part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start }) })
      const groupOffset = { group: topic, topic, partition: 0, offset: 7n, metadata: 'ref=7' }
      const outcome = await failureOf(writer.commitBatch({ records: batch(topic), groupOffset }))
      if (outcome !== 'it resolved') expect(outcome).toMatchObject({ kind: 'unknown' })
      const there = await fenceAndRead(topic)
      const committed = there.length > 1
      expect(there).toEqual(committed ? ['first', 'a', 'b', 'c'] : ['first'])
      const offset = async () => (await direct.committed({ group: topic, topic })).get(0)?.offset
      await expect.poll(offset, soon).toBe(committed ? 7n : 0n)
      await writer.close()
    },
  )
})

describe('a fence', () => {
  it.each(['Produce', 'EndTxn'] as const)('stands against the late %s of the writer before', async api => {
    const topic = await newTopic()
    const old = await writerOf(topic)
    const released = Promise.withResolvers<void>()
    const met = frames.next({
      api,
      part: 'request',
      fault: ({ start }) => ({ kind: 'hold', at: start, until: released.promise }),
    })
    const late = failureOf(old.commitBatch({ records: batch(topic) }))
    await met
    const next = await direct.openTxWriter({ transactionalId: topic })
    expect(await readAll(topic)).toEqual(['first'])
    await next.commitBatch({ records: [record(topic, 'next')] })
    released.resolve()
    expect(await late).toMatchObject({ name: 'KafkaFailure' })
    await expect.poll(() => readAll(topic), soon).toEqual(['first', 'next'])
    await next.commitBatch({ records: [record(topic, 'after')] })
    await expect.poll(() => readAll(topic), soon).toEqual(['first', 'next', 'after'])
    await Promise.all([old.close(), next.close()])
  })

  it('happens when the writer opens, before it has written anything', async () => {
    const topic = await newTopic()
    const old = await writerOf(topic)
    const inits = frames.requests.get('InitProducerId') ?? 0
    const next = await behindProxy().openTxWriter({ transactionalId: topic })
    expect(frames.requests.get('InitProducerId')).toBeGreaterThan(inits)
    expect(await failureOf(old.commitBatch({ records: batch(topic) }))).toMatchObject({ kind: 'fenced' })
    await Promise.all([old.close(), next.close()])
  })

  it('that meets a silent broker is given up in bounded time, and the next one works', async () => {
    const topic = await newTopic()
    const kafka = behindProxy()
    void frames.next({ api: 'InitProducerId', part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
    const { ms, result } = await timed(failureOf(kafka.openTxWriter({ transactionalId: topic })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.openWriterMs + slackMs)
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'x')] })
    await expect.poll(() => readAll(topic), soon).toEqual(['x'])
    await writer.close()
  })

  it('that meets a broker which takes connections and says nothing is given up in bounded time', async () => {
    const kafka = behindProxy()
    proxy.pause()
    const { ms, result } = await timed(failureOf(kafka.openTxWriter({ transactionalId: `${stem}_silent` })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.openWriterMs + slackMs)
  })

  it('that meets a closed door is given up in bounded time, and works once it is open', async () => {
    const topic = await newTopic()
    const kafka = behindProxy()
    proxy.refuse()
    const { ms, result } = await timed(failureOf(kafka.openTxWriter({ transactionalId: topic })))
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.openWriterMs + slackMs)
    await proxy.accept()
    const writer = await kafka.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: [record(topic, 'x')] })
    await expect.poll(() => readAll(topic), soon).toEqual(['x'])
    await writer.close()
  })
})

describe('reading', () => {
  const leaveAborted = async (topic: string): Promise<void> => {
    const writer = await direct.openTxWriter({ transactionalId: `${topic}_lost` })
    const lost = Array.from({ length: 300 }, (_, i) => record(topic, `lost${i}`))
    const tooLarge = { ...record(topic, '', 1), value: Buffer.alloc(20 * 1024 * 1024) }
    expect(await failureOf(writer.commitBatch({ records: [...lost, tooLarge] }))).toMatchObject({ kind: 'fatal' })
    await (await direct.openTxWriter({ transactionalId: `${topic}_lost` })).close()
  }

  it('goes on after an answer that broke off, as if it had never begun', async () => {
    const topic = await newTopic()
    const writer = await direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    await expect.poll(() => readAll(topic), soon).toEqual(['a', 'b', 'c'])
    const fetcher = behindProxy().openFetcher()
    void frames.next({ api: 'Fetch', part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start + 20 }) })
    const read = (): Promise<unknown> => fetcher.read({ topic, partition: 0, offset: 0n })
    expect(await failureOf(read())).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(await failureOf(read())).toBe('it resolved')
    await fetcher.close()
  })

  it('of a silent broker fails in bounded time, and works once it speaks again', async () => {
    const topic = await newTopic()
    const kafka = behindProxy()
    const fetcher = kafka.openFetcher()
    await fetcher.read({ topic, partition: 0, offset: 0n })
    await kafka.bounds(topic)
    proxy.pause()
    const asked = await timed(
      Promise.all([
        failureOf(fetcher.read({ topic, partition: 0, offset: 0n })),
        failureOf(kafka.bounds(topic)),
        failureOf(kafka.brokerTimeMs(topic)),
      ]),
    )
    for (const failure of asked.result) expect(failure).toMatchObject({ kind: 'retriable' })
    // A fetch has five seconds more from kafkajs, whatever it is told; the limit is what holds.
    expect(asked.ms).toBeLessThan(2 * limits.askMs + slackMs)
    proxy.resume()
    await expect.poll(() => failureOf(kafka.bounds(topic)), soon).toBe('it resolved')
    await expect.poll(() => failureOf(fetcher.read({ topic, partition: 0, offset: 0n })), soon).toBe('it resolved')
    await fetcher.close()
  })

  it('finds the tail behind aborted data, though connections are cut all the while', async () => {
    const topic = await newTopic(2)
    const writer = await direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    for (let i = 0; i < 2; i++) await leaveAborted(topic)
    const kafka = behindProxy()
    let answers = 0
    const stop = frames.each(({ api, part, start }) =>
      api === 'Fetch' && part === 'answer' && ++answers % 2 === 1 ? { kind: 'reset', at: start + 9 } : null,
    )
    const tails: string[][] = []
    for (let attempt = 0; attempt < 12; attempt++) {
      const tail = await kafka.readTail({ topic, partition: 0, count: 2 }).catch(() => null)
      if (tail) tails.push(tail.map(({ value }) => value.toString()))
    }
    stop()
    for (const tail of tails) expect(tail).toEqual(['b', 'c'])
    const last = await kafka.readTail({ topic, partition: 0, count: 9 })
    expect(last.map(({ value }) => value.toString())).toEqual(['a', 'b', 'c'])
  })

  it('what could not be asked while the door was closed can be asked once it is open', async () => {
    const topic = await newTopic()
    const kafka = behindProxy()
    proxy.refuse()
    expect(await failureOf(kafka.bounds(topic))).toMatchObject({ kind: 'retriable' })
    await proxy.accept()
    expect(await failureOf(kafka.bounds(topic))).toBe('it resolved')
  })
})

describe('a member', () => {
  const watch = () => {
    const seen: Assignment[] = []
    const failures: Error[] = []
    return {
      seen,
      failures,
      onAssignment: (assignment: Assignment) => void seen.push(assignment),
      onFailure: (error: Error) => void failures.push(error),
    }
  }
  const members: Membership[] = []
  const join = async (kafka: KafkaPort, topic: string, watching: ReturnType<typeof watch>): Promise<Membership> => {
    const member = await kafka.join({ group: topic, topic, ...watching })
    members.push(member)
    return member
  }
  // Also after a failure: a member left behind would meet the faults that are meant for the next.
  afterEach(async () => {
    proxy.resume()
    await Promise.all(members.splice(0).map(member => member.leave()))
  })
  const sizes = ({ seen }: ReturnType<typeof watch>): number[] => seen.map(({ partitions }) => partitions.length)

  it('keeps its place through connections that are cut and made again', async () => {
    const topic = await newTopic()
    const watching = watch()
    const member = await join(behindProxy(), topic, watching)
    expect(sizes(watching)).toEqual([1])
    for (let i = 0; i < 5; i++) {
      proxy.cutAll()
      await expect.poll(() => failureOf(member.owner(0)), soon).toBe('it resolved')
    }
    await expect.poll(() => member.owner(0), soon).toBe('this member')
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('that hears nothing for a session is told that it owns nothing; its late commit is refused', async () => {
    const topic = await newTopic()
    await direct.admin.setOffsets({ group: topic, topic, offsets: new Map([[0, { offset: 1n, metadata: '' }]]) })
    const watching = watch()
    const member = await join(behindProxy(), topic, watching)
    const [owned] = watching.seen as [Assignment]
    await member.commit(owned, 0, { offset: 2n, metadata: 'n=2 pos=2' })
    proxy.pause()
    const other = watch()
    const rival = await join(direct, topic, other)
    await expect.poll(() => other.seen.at(-1)?.partitions, soon).toEqual([0])
    await expect.poll(() => watching.seen.at(-1)?.partitions, soon).toEqual([])
    await rival.commit(other.seen.at(-1) as Assignment, 0, { offset: 5n, metadata: 'n=5 pos=5' })
    const late = await failureOf(member.commit(owned, 0, { offset: 3n, metadata: 'late' }))
    expect(late).toMatchObject({ name: 'KafkaFailure', kind: 'superseded' })
    expect(await rival.owner(0)).toBe('this member')
    proxy.resume()
    // Back in the group it may be given the partition again, but both are told the same.
    const owners = async () => [await member.owner(0), await rival.owner(0)].toSorted()
    await expect.poll(owners, soon).toEqual(['another member', 'this member'])
    expect((await direct.committed({ group: topic, topic })).get(0)?.offset).toBe(5n)
    await rival.leave()
    await expect.poll(() => watching.seen.at(-1)?.partitions, soon).toEqual([0])
    await expect.poll(() => member.owner(0), soon).toBe('this member')
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('whose commit can reach nobody is told so, and nothing is committed', async () => {
    const topic = await newTopic()
    const watching = watch()
    const member = await join(behindProxy(), topic, watching)
    const [owned] = watching.seen as [Assignment]
    void frames.next({ api: 'OffsetCommit', part: 'request', fault: ({ start }) => ({ kind: 'drop', at: start }) })
    const { ms, result } = await timed(failureOf(member.commit(owned, 0, { offset: 9n, metadata: '' })))
    expect(result).toMatchObject({ name: 'KafkaFailure' })
    expect(ms).toBeLessThan(limits.askMs + slackMs)
    expect((await direct.committed({ group: topic, topic })).get(0)).toBeUndefined()
    await member.leave()
    const after = await failureOf(member.commit(owned, 0, { offset: 9n, metadata: '' }))
    expect(after).toMatchObject({ kind: 'superseded' })
    expect((await direct.committed({ group: topic, topic })).get(0)).toBeUndefined()
  })

  it('fetches nothing: its partitions are paused before kafkajs could load, reset or deliver anything', async () => {
    const topic = await newTopic()
    const writer = await direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    const watching = watch()
    const count = (api: Api): number => frames.requests.get(api) ?? 0
    const before = { fetches: count('Fetch'), heartbeats: count('Heartbeat') }
    const member = await join(behindProxy(), topic, watching)
    await expect.poll(() => count('Heartbeat'), soon).toBeGreaterThan(before.heartbeats + 2)
    expect(count('Fetch')).toBe(before.fetches)
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('that the group refuses is told so by join', async () => {
    const topic = await newTopic()
    const impatient = client(brokers, {}, 200)
    const joining = impatient.join({ group: topic, topic, ...watch() })
    expect(await failureOf(joining)).toMatchObject({ name: 'KafkaFailure' })
  })

  it('whose connection has gone deaf gets another one, and its place back', async () => {
    const topic = await newTopic()
    const watching = watch()
    const member = await join(behindProxy(), topic, watching)
    const startMs = performance.now()
    void frames.next({ api: 'Heartbeat', part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
    await expect.poll(() => sizes(watching), soon).toEqual([1, 0, 1])
    // A session, a rebalance, and the time to join again; kafkajs alone asks thirty times more over the deaf connection.
    expect(performance.now() - startMs).toBeLessThan(20_000)
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('leaves in bounded time though the broker is silent', async () => {
    const topic = await newTopic()
    const member = await join(behindProxy(), topic, watch())
    proxy.pause()
    const { ms } = await timed(member.leave())
    expect(ms).toBeLessThan(limits.closeMs + slackMs)
  })
})

/** Frames of any kind, in case a scenario's aim is off: it would pass without having met its fault. */
describe('the aim', () => {
  it('is at frames that go by', async () => {
    const topic = await newTopic()
    const met: Api[] = []
    const stop = frames.each(({ api, part }) => {
      if (api !== 'other' && part === 'answer') met.push(api)
      return null
    })
    const writer = await writerOf(topic)
    await writer.close()
    stop()
    expect(met).toEqual(expect.arrayContaining(['InitProducerId', 'AddPartitionsToTxn', 'Produce', 'EndTxn']))
  })
})
