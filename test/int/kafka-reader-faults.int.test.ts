import { afterEach, describe, expect, it } from 'vitest'
import type { Assignment, KafkaPort, Membership } from '../../runtime/kafka/port.ts'
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

const kafka = new KafkaBehindProxy('kafka_reader_faults')
/** On a door that refuses at once. */
const kafkajsGivesUpMs = 16_000

describe('reading', () => {
  const leaveAborted = async (topic: string): Promise<void> => {
    const writer = await kafka.direct.openTxWriter({ transactionalId: `${topic}_lost` })
    const lost = Array.from({ length: 300 }, (_, i) => record(topic, `lost${i}`))
    const tooLarge = { ...record(topic, '', 1), value: Buffer.alloc(20 * 1024 * 1024) }
    expect(await failureOf(writer.commitBatch({ records: [...lost, tooLarge] }))).toMatchObject({ kind: 'fatal' })
    await (await kafka.direct.openTxWriter({ transactionalId: `${topic}_lost` })).close()
  }

  it('goes on after an answer that broke off, as if it had never begun', async () => {
    const topic = await kafka.newTopic()
    const writer = await kafka.direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    await expect.poll(() => kafka.readAll(topic), soon).toEqual(['a', 'b', 'c'])
    const fetcher = kafka.open().openFetcher()
    void kafka.frames.next({ api: 'Fetch', part: 'answer', fault: ({ start }) => ({ kind: 'reset', at: start + 20 }) })
    const read = (): Promise<unknown> => fetcher.read({ topic, partition: 0, offset: 0n })
    expect(await failureOf(read())).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(await failureOf(read())).toBe('it resolved')
    await fetcher.close()
  })

  it('of a silent broker fails in bounded time, and works once it speaks again', async () => {
    const topic = await kafka.newTopic()
    const one = kafka.open()
    const fetcher = one.openFetcher()
    await fetcher.read({ topic, partition: 0, offset: 0n })
    await one.bounds(topic)
    kafka.proxy.pause()
    const asked = await timed(
      Promise.all([
        failureOf(fetcher.read({ topic, partition: 0, offset: 0n })),
        failureOf(one.bounds(topic)),
        failureOf(one.brokerTimeMs(topic)),
      ]),
    )
    for (const failure of asked.result) expect(failure).toMatchObject({ kind: 'retriable' })
    // A fetch has five seconds more from kafkajs, whatever it is told; the limit is what holds.
    expect(asked.ms).toBeLessThan(2 * limits.askMs + slackMs)
    kafka.proxy.resume()
    await expect.poll(() => failureOf(one.bounds(topic)), soon).toBe('it resolved')
    await expect.poll(() => failureOf(fetcher.read({ topic, partition: 0, offset: 0n })), soon).toBe('it resolved')
    await fetcher.close()
  })

  it('finds the tail behind aborted data, though connections are cut all the while', async () => {
    const topic = await kafka.newTopic(2)
    const writer = await kafka.direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    for (let i = 0; i < 2; i++) await leaveAborted(topic)
    const one = kafka.open()
    let answers = 0
    const stop = kafka.frames.each(({ api, part, start }) =>
      api === 'Fetch' && part === 'answer' && ++answers % 2 === 1 ? { kind: 'reset', at: start + 9 } : null,
    )
    const tails: string[][] = []
    for (let attempt = 0; attempt < 12; attempt++) {
      const tail = await one.readTail({ topic, partition: 0, count: 2 }).catch(() => null)
      if (tail) tails.push(tail.map(({ value }) => value.toString()))
    }
    stop()
    for (const tail of tails) expect(tail).toEqual(['b', 'c'])
    const last = await one.readTail({ topic, partition: 0, count: 9 })
    expect(last.map(({ value }) => value.toString())).toEqual(['a', 'b', 'c'])
  })

  it('what could not be asked while the door was closed can be asked once it is open', async () => {
    const topic = await kafka.newTopic()
    const one = kafka.open()
    kafka.proxy.refuse()
    // Longer than kafkajs tries to connect: what it gave up for good must not be what the next one waits for.
    for (const startMs = performance.now(); performance.now() - startMs < kafkajsGivesUpMs; )
      expect(await failureOf(one.bounds(topic))).toMatchObject({ kind: 'retriable' })
    await kafka.proxy.accept()
    expect(await failureOf(one.bounds(topic))).toBe('it resolved')
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
  const join = async (through: KafkaPort, topic: string, watching: ReturnType<typeof watch>): Promise<Membership> => {
    const member = await through.join({ group: topic, topic, ...watching })
    members.push(member)
    return member
  }
  // Also after a failure: a member left behind would meet the faults that are meant for the next.
  afterEach(async () => {
    kafka.proxy.resume()
    await Promise.all(members.splice(0).map(member => member.leave()))
  })
  const sizes = ({ seen }: ReturnType<typeof watch>): number[] => seen.map(({ partitions }) => partitions.length)

  it('keeps its place through connections that are cut and made again', async () => {
    const topic = await kafka.newTopic()
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    expect(sizes(watching)).toEqual([1])
    for (let i = 0; i < 5; i++) {
      kafka.proxy.cutAll()
      await expect.poll(() => failureOf(member.owner(0)), soon).toBe('it resolved')
    }
    await expect.poll(() => member.owner(0), soon).toBe('this member')
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('that hears nothing for a session is told that it owns nothing; its late commit is refused', async () => {
    const topic = await kafka.newTopic()
    await kafka.direct.admin.setOffsets({ group: topic, topic, offsets: new Map([[0, { offset: 1n, metadata: '' }]]) })
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    const [owned] = watching.seen as [Assignment]
    await member.commit(owned, 0, { offset: 2n, metadata: 'n=2 pos=2' })
    kafka.proxy.pause()
    const other = watch()
    const rival = await join(kafka.direct, topic, other)
    await expect.poll(() => other.seen.at(-1)?.partitions, soon).toEqual([0])
    await expect.poll(() => watching.seen.at(-1)?.partitions, soon).toEqual([])
    await rival.commit(other.seen.at(-1) as Assignment, 0, { offset: 5n, metadata: 'n=5 pos=5' })
    const late = await failureOf(member.commit(owned, 0, { offset: 3n, metadata: 'late' }))
    expect(late).toMatchObject({ name: 'KafkaFailure', kind: 'superseded' })
    expect(await rival.owner(0)).toBe('this member')
    kafka.proxy.resume()
    // Back in the group it may be given the partition again, but both are told the same.
    const owners = async () => [await member.owner(0), await rival.owner(0)].toSorted()
    await expect.poll(owners, soon).toEqual(['another member', 'this member'])
    expect((await kafka.direct.committed({ group: topic, topic })).get(0)?.offset).toBe(5n)
    await rival.leave()
    await expect.poll(() => watching.seen.at(-1)?.partitions, soon).toEqual([0])
    await expect.poll(() => member.owner(0), soon).toBe('this member')
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('whose commit can reach nobody is told so, and nothing is committed', async () => {
    const topic = await kafka.newTopic()
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    const [owned] = watching.seen as [Assignment]
    const stop = kafka.frames.each(({ api, part, start }) =>
      api === 'OffsetCommit' && part === 'request' ? { kind: 'drop', at: start } : null,
    )
    const { ms, result } = await timed(failureOf(member.commit(owned, 0, { offset: 9n, metadata: '' })))
    stop()
    expect(result).toMatchObject({ name: 'KafkaFailure', kind: 'retriable' })
    expect(ms).toBeLessThan(limits.askMs + slackMs)
    expect((await kafka.direct.committed({ group: topic, topic })).get(0)).toBeUndefined()
    await member.leave()
    const after = await failureOf(member.commit(owned, 0, { offset: 9n, metadata: '' }))
    expect(after).toMatchObject({ kind: 'superseded' })
    expect((await kafka.direct.committed({ group: topic, topic })).get(0)).toBeUndefined()
  })

  it('whose commit meets a broken connection asks again', async () => {
    const topic = await kafka.newTopic()
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    const [owned] = watching.seen as [Assignment]
    void kafka.frames.next({
      api: 'OffsetCommit',
      part: 'answer',
      fault: ({ start }) => ({ kind: 'reset', at: start }),
    })
    await member.commit(owned, 0, { offset: 9n, metadata: 'n=9 pos=9' })
    expect((await kafka.direct.committed({ group: topic, topic })).get(0)).toEqual({
      offset: 9n,
      metadata: 'n=9 pos=9',
    })
  })

  it('fetches nothing: its partitions are paused before kafkajs could load, reset or deliver anything', async () => {
    const topic = await kafka.newTopic()
    const writer = await kafka.direct.openTxWriter({ transactionalId: topic })
    await writer.commitBatch({ records: batch(topic) })
    await writer.close()
    const watching = watch()
    const count = (api: Api): number => kafka.frames.requests.get(api) ?? 0
    const before = { fetches: count('Fetch'), heartbeats: count('Heartbeat') }
    const member = await join(kafka.open(), topic, watching)
    await expect.poll(() => count('Heartbeat'), soon).toBeGreaterThan(before.heartbeats + 2)
    expect(count('Fetch')).toBe(before.fetches)
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('that the group refuses is told so by join', async () => {
    const topic = await kafka.newTopic()
    const impatient = kafka.openDirect({ sessionTimeoutMs: 200 })
    const joining = impatient.join({ group: topic, topic, ...watch() })
    expect(await failureOf(joining)).toMatchObject({ name: 'KafkaFailure' })
  })

  it('whose connection has gone deaf gets another one, and its place back', async () => {
    const topic = await kafka.newTopic()
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    const startMs = performance.now()
    void kafka.frames.next({ api: 'Heartbeat', part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
    await expect.poll(() => sizes(watching), soon).toEqual([1, 0, 1])
    // A session, a rebalance, and the time to join again.
    expect(performance.now() - startMs).toBeLessThan(20_000)
    expect(watching.failures).toEqual([])
    await member.leave()
  })

  it('whose answer to a rebalance never comes gets another connection, and its place back', async () => {
    const topic = await kafka.newTopic()
    const watching = watch()
    const member = await join(kafka.open(), topic, watching)
    void kafka.frames.next({ api: 'JoinGroup', part: 'answer', fault: ({ start }) => ({ kind: 'drop', at: start }) })
    const startMs = performance.now()
    const other = await join(kafka.direct, topic, watch())
    await expect.poll(() => sizes(watching), soon).toEqual([1, 0])
    await other.leave()
    await expect.poll(() => sizes(watching), soon).toEqual([1, 0, 1])
    // A session and a rebalance after it last heard something; kafkajs by itself needs twice as long.
    expect(performance.now() - startMs).toBeLessThan(18_000)
    await member.leave()
  })

  it('leaves in bounded time though the broker is silent', async () => {
    const topic = await kafka.newTopic()
    // Requests wait as long as they usually do, 4 s: what ends the goodbye is its own limit.
    const member = await join(kafka.open({ closeMs: limits.closeMs }), topic, watch())
    kafka.proxy.pause()
    const { ms } = await timed(member.leave())
    expect(ms).toBeLessThan(limits.closeMs + slackMs)
  })
})
