import { pino } from 'pino'
import { beforeEach, describe, expect, test } from 'vitest'
import { pos } from '../../core/ids.ts'
import { DecodeError } from '../../schemas/codec.ts'
import { type Fetcher, KafkaFailure, type KafkaPort } from '../kafka/port.ts'
import { type BrokerRequest, MemoryBroker } from '../kafka/testing/memory-broker.ts'
import { eventually } from '../testing/eventually.ts'
import { TestClock } from '../testing/test-clock.ts'
import { type Numbering, userNumbering } from './numbering.ts'
import type { Progress } from './progress.ts'
import { type PartitionWorker, Reader, type ReadRecord, ReopenPartition } from './reader.ts'

type Note = { readonly n: bigint; readonly pos: ReturnType<typeof pos> }

/** Records of these tests are words: "n pos". */
const notes: Numbering<Note> = {
  decode: value => {
    const [n, at] = value.toString().split(' ')
    if (n === undefined || at === undefined) throw new DecodeError(`not a note: ${value.toString()}`)
    return { n: BigInt(n), pos: pos(BigInt(at)) }
  },
  place: note => note,
  problem: userNumbering.problem,
  wayOut: 'ask whoever wrote it',
}
const note = (n: number, at = n * 10): Buffer => Buffer.from(`${n} ${at}`)

const [topic, group] = ['t', 'g']
const untilDone = new AbortController().signal
let clock: TestClock
let broker: MemoryBroker
let network: (request: BrokerRequest) => 'delivered' | 'request-lost' | KafkaFailure
/** What the workers went through, in order. */
let told: string[]

beforeEach(() => {
  clock = new TestClock()
  network = () => 'delivered'
  broker = new MemoryBroker({ clock, network: request => network(request), fetchCount: () => 3 })
  told = []
})

const topicOf = (partitions: number): void => {
  broker.addTopic({ topic, partitions })
  for (let partition = 0; partition < partitions; partition++)
    broker.offsets(group, topic).set(partition, { offset: 0n, metadata: 'n=0 pos=0' })
}
const fill = (partition: number, ...numbers: readonly number[]): void => {
  for (const n of numbers) broker.put(topic, partition, { value: note(n) })
}

type Worker = PartitionWorker<Note> & {
  readonly partition: number
  readonly start: Progress
  readonly taken: ReadRecord<Note>[]
  readonly commit: (progress: Progress) => Promise<void>
}
type Behaviour = {
  readonly take?: (records: readonly ReadRecord<Note>[], worker: Worker) => Promise<void>
  readonly close?: (worker: Worker) => Promise<void>
  readonly failed?: Promise<never>
  /** Before the worker is there. */
  readonly opening?: (signal: AbortSignal) => Promise<void>
}

const reading = (
  { take, close, failed, opening }: Behaviour = {},
  {
    name = 'one',
    partitions = 1,
    kafka = broker.client(name),
  }: { readonly name?: string; readonly partitions?: number; readonly kafka?: KafkaPort } = {},
) => {
  const workers: Worker[] = []
  const stopping = new AbortController()
  const reader = new Reader<Note>({
    kafka,
    clock,
    log: pino({ level: 'silent' }),
    group,
    topic,
    partitions,
    numbering: notes,
    open: async ({ partition, start, commit, signal }) => {
      told.push(`${name} opens ${partition}`)
      await opening?.(signal)
      const worker: Worker = {
        partition,
        start,
        taken: [],
        commit,
        take: async records => {
          worker.taken.push(...records)
          await take?.(records, worker)
        },
        close: async () => {
          await close?.(worker)
          told.push(`${name} closes ${partition}`)
        },
        ...(failed ? { failed } : {}),
      }
      workers.push(worker)
      return worker
    },
  })
  const done = reader.run(stopping.signal)
  done.catch(() => {})
  const stop = async (): Promise<void> => {
    stopping.abort()
    await done
  }
  const numbers = (): bigint[] => workers.flatMap(({ taken }) => taken.map(({ record }) => record.n))
  return { reader, done, stop, workers, numbers }
}

test.each([
  [1, 512 * 1024],
  [4, 512 * 1024],
  [12, Math.floor((2 * 1024 * 1024) / 12)],
  [100, 64 * 1024],
])('of %i partitions each asks for %i bytes at most', async (partitions, expected) => {
  topicOf(partitions)
  const asked = new Set<number | undefined>()
  const kafka = broker.client('one')
  const fetcher = kafka.openFetcher()
  const watched: Fetcher = {
    read: request => {
      asked.add(request.maxBytes)
      return fetcher.read(request)
    },
    close: () => fetcher.close(),
  }
  const { stop, workers } = reading({}, { partitions, kafka: Object.assign(kafka, { openFetcher: () => watched }) })
  await eventually('all are open', () => workers.length === partitions && asked.size > 0)
  await stop()
  expect([...asked]).toEqual([expected])
})

const progressOf = ({ offset, record }: ReadRecord<Note>): Progress => ({ offset: offset + 1n, ...record })

describe('a reader', () => {
  test('hands on every record once and in order, over holes and what was aborted', async () => {
    topicOf(2)
    const writer = await broker.client().openTxWriter({ transactionalId: 'w' })
    const records = (numbers: readonly number[], partition: number) =>
      numbers.map(n => ({ topic, partition, key: null, value: note(n), timestampMs: 0n }))
    await writer.commitBatch({ records: [...records([1, 2], 0), ...records([1, 2, 3, 4, 5], 1)] })
    network = ({ kind }) => (kind === 'end-transaction' ? 'request-lost' : 'delivered')
    await expect(writer.commitBatch({ records: records([3, 4], 0) })).rejects.toMatchObject({ kind: 'unknown' })
    network = () => 'delivered'
    const next = await broker.client().openTxWriter({ transactionalId: 'w' })
    await next.commitBatch({ records: records([3], 0) })
    const { workers, stop } = reading({}, { partitions: 2 })
    await eventually('all is read', () => workers.reduce((sum, { taken }) => sum + taken.length, 0) === 8)
    const taken = workers.map(worker => worker.taken.map(({ offset, record }) => `${offset}:${record.n}`))
    expect(taken).toEqual([
      ['0:1', '1:2', '6:3'],
      ['0:1', '1:2', '2:3', '3:4', '4:5'],
    ])
    await stop()
  })

  test('goes on where the group stands', async () => {
    topicOf(1)
    fill(0, 1, 2, 3)
    const take: Behaviour['take'] = (records, { commit }) => commit(progressOf(records.at(-1) as ReadRecord<Note>))
    const first = reading({ take })
    await eventually('three are committed', () => broker.offsets(group, topic).get(0)?.offset === 3n)
    await first.stop()
    fill(0, 4)
    const second = reading({ take })
    await eventually('the fourth is committed', () => broker.offsets(group, topic).get(0)?.offset === 4n)
    await second.stop()
    expect(second.numbers()).toEqual([4n])
    expect(second.workers[0]?.start).toEqual({ offset: 3n, n: 3n, pos: 30n })
  })

  test('takes no more while its worker is busy', async () => {
    topicOf(1)
    fill(0, 1, 2, 3, 4, 5, 6, 7)
    const busy = Promise.withResolvers<void>()
    const { workers, numbers, stop } = reading({ take: () => busy.promise })
    await eventually('the first batch is there', () => numbers().length > 0)
    await clock.sleep(10_000)
    expect(numbers()).toEqual([1n, 2n, 3n])
    busy.resolve()
    await eventually('the rest is there', () => workers[0]?.taken.length === 7)
    await stop()
  })

  test('asks again when a fetch, or the check at its start, fails for a while', async () => {
    topicOf(1)
    fill(0, 1)
    let failures = 0
    network = ({ kind }) => {
      const fails = (kind === 'fetch-offsets' || kind === 'list-offsets' || kind === 'fetch') && failures++ % 5 === 1
      return fails ? 'request-lost' : 'delivered'
    }
    const { numbers, stop } = reading()
    await eventually('it is read', () => numbers().length === 1)
    fill(0, 2)
    await eventually('the next is read', () => numbers().length === 2)
    await stop()
    expect(numbers()).toEqual([1n, 2n])
  })
})

describe('a reader stops', () => {
  /** Rejects with what ends a reader; resolves when it reads for long. */
  const refusal = async (partitions = 1): Promise<void> => {
    const { done } = reading({}, { partitions })
    await Promise.race([done, clock.sleep(60_000)])
  }
  const committed = (offset: bigint, metadata: string): void =>
    void broker.offsets(group, topic).set(0, { offset, metadata })

  test('without a committed offset', async () => {
    broker.addTopic({ topic, partitions: 1 })
    await expect(refusal()).rejects.toMatchObject({
      code: 'offset-missing',
      message: expect.stringMatching(/settle init/),
    })
  })

  test('at an offset that somebody else committed', async () => {
    topicOf(1)
    committed(0n, '')
    await expect(refusal()).rejects.toMatchObject({
      code: 'offset-foreign',
      message: expect.stringMatching(/metadata ""/),
    })
  })

  test('at an offset beyond the topic', async () => {
    topicOf(1)
    fill(0, 1)
    committed(2n, 'n=2 pos=20')
    await expect(refusal()).rejects.toMatchObject({
      code: 'offset-out-of-range',
      message: expect.stringMatching(/2 is outside .* 0 to 1/),
    })
  })

  test('at an offset that retention has taken away', async () => {
    topicOf(1)
    fill(0, 1, 2, 3)
    broker.log(topic, 0).trim(2n)
    committed(1n, 'n=1 pos=10')
    await expect(refusal()).rejects.toMatchObject({ code: 'offset-out-of-range' })
  })

  test.each([
    ['n=2 pos=10', 'another n'],
    ['n=1 pos=11', 'another pos'],
    ['n=0 pos=0', 'nothing before it'],
  ])('when the record before its offset is not the one it read: %s, %s', async metadata => {
    topicOf(1)
    fill(0, 1, 2)
    committed(1n, metadata)
    await expect(refusal()).rejects.toMatchObject({
      code: 'offset-other-log',
      message: expect.stringMatching(/n=1 pos=10/),
    })
  })

  test('when there is no topic, or one with fewer partitions than it was told', async () => {
    await expect(refusal()).rejects.toMatchObject({ code: 'topic-missing' })
    topicOf(2)
    await expect(refusal(3)).rejects.toMatchObject({
      code: 'topic-partitions',
      message: expect.stringMatching(/2 partitions.*says 3/),
    })
  })

  test('but not for more partitions than it was told, which is an alarm only', async () => {
    topicOf(2)
    const { stop, workers } = reading({}, { partitions: 1 })
    await eventually('it reads', () => workers.length === 2)
    await stop()
  })

  test.each([
    ['a hole in n', [1, 2, 4], /n is 4 after 2/],
    ['n twice', [1, 2, 2], /n is 2 after 2/],
  ])('at %s, and hands on nothing from there', async (_, numbers, message) => {
    topicOf(1)
    fill(0, ...numbers)
    const { done, workers } = reading()
    await expect(Promise.race([done, clock.sleep(60_000)])).rejects.toMatchObject({
      code: 'log-order',
      reason: 'refused',
      message: expect.stringMatching(message),
    })
    expect(workers[0]?.taken).toEqual([])
    expect(told).toEqual(['one opens 0', 'one closes 0'])
  })

  test('at a pos that falls', async () => {
    topicOf(1)
    fill(0, 1)
    broker.put(topic, 0, { value: note(2, 9) })
    await expect(refusal()).rejects.toMatchObject({
      code: 'log-order',
      message: expect.stringMatching(/pos falls from 10 to 9; .*; ask whoever wrote it$/),
    })
  })

  test('at a record that it can not decode', async () => {
    topicOf(1)
    broker.put(topic, 0, { value: Buffer.from('rubbish') })
    await expect(refusal()).rejects.toMatchObject({
      code: 'undecodable-record',
      message: expect.stringMatching(/t-0 offset 0: not a note/),
    })
  })

  test('when its membership fails, and when one worker does: the others close first', async () => {
    topicOf(2)
    fill(0, 1)
    const failing = reading({ take: () => Promise.reject(new Error('disk')) }, { partitions: 2 })
    await expect(failing.done).rejects.toThrow('disk')
    expect(told.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'one closes 0',
      'one closes 1',
      'one opens 0',
      'one opens 1',
    ])
    expect(broker.group(group).memberCount).toBe(0)
    const refused = reading({}, { partitions: 2 })
    await eventually('it reads', () => refused.workers.length === 2)
    broker.group(group).fail(new KafkaFailure('fatal', 'not authorised'))
    await expect(refused.done).rejects.toThrow('not authorised')
  })
})

describe('when assignments change', () => {
  test('the workers of the one before have closed before new ones open', async () => {
    topicOf(2)
    const slow: Behaviour = { close: () => clock.sleep(3000) }
    const one = reading(slow, { name: 'one', partitions: 2 })
    await eventually('one has both', () => one.workers.length === 2)
    const two = reading(slow, { name: 'two', partitions: 2 })
    await eventually('they share', () => one.workers.length === 3 && two.workers.length === 1)
    const own = told.filter(line => line.startsWith('one'))
    expect(own.slice(0, 2)).toEqual(['one opens 0', 'one opens 1'])
    expect(own.slice(2, 4).toSorted((a, b) => a.localeCompare(b))).toEqual(['one closes 0', 'one closes 1'])
    expect(own.slice(4)).toEqual(['one opens 0'])
    expect([one.reader.owned, two.reader.owned]).toEqual([[0], [1]])
    await two.stop()
    await eventually('one has both again', () => one.reader.owned.length === 2)
    await one.stop()
    expect(one.reader.owned).toEqual([])
  })

  test('a worker that was still opening is given up, and the next one opens', async () => {
    topicOf(1)
    fill(0, 1, 2)
    let openings = 0
    const silentStore = (signal: AbortSignal): Promise<void> =>
      openings++ > 0
        ? Promise.resolve()
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
    const one = reading({ opening: silentStore })
    await eventually('it opens', () => openings === 1)
    broker.group(group).rebalance()
    await eventually('it reads', () => one.numbers().length === 2)
    await one.stop()
    expect(told).toEqual(['one opens 0', 'one opens 0', 'one closes 0'])
  })

  test('several at once leave one worker for each partition, whatever came between', async () => {
    topicOf(2)
    const one = reading({ close: () => clock.sleep(500) }, { partitions: 2 })
    await eventually('it reads', () => one.workers.length === 2)
    for (let i = 0; i < 4; i++) {
      broker.group(group).rebalance()
      await clock.sleep(100)
    }
    await eventually('both are open', () => told.length % 4 === 2)
    const open = new Set<string>()
    for (const line of told) {
      const partition = line.slice(-1)
      if (line.includes('opens')) expect(open.has(partition)).toBe(false)
      if (line.includes('opens')) open.add(partition)
      else open.delete(partition)
    }
    await one.stop()
  })

  test('a commit that comes too late is refused, and that is no failure', async () => {
    topicOf(1)
    fill(0, 1)
    const refusals: unknown[] = []
    const { stop, workers } = reading({
      take: async (records, worker) => {
        if (worker === workers[0]) broker.group(group).rebalance()
        await clock.sleep(1)
        await worker.commit(progressOf(records[0] as ReadRecord<Note>)).catch((error: unknown) => {
          refusals.push(error)
          throw error
        })
      },
    })
    await eventually('the second owner has committed', () => broker.offsets(group, topic).get(0)?.offset === 1n)
    expect(refusals).toMatchObject([{ kind: 'superseded' }])
    expect(workers.map(({ taken }) => taken.length)).toEqual([1, 1])
    await stop()
  })
})

describe('a worker', () => {
  test('that doubts its memory is opened again from the committed offset', async () => {
    topicOf(1)
    fill(0, 1, 2)
    let doubts = 0
    const { stop, workers } = reading({
      take: async (records, { commit }) => {
        if (doubts++ === 0) throw new ReopenPartition('a node restarted')
        await commit(progressOf(records.at(-1) as ReadRecord<Note>))
      },
    })
    await eventually('it is committed', () => broker.offsets(group, topic).get(0)?.offset === 2n)
    expect(told).toEqual(['one opens 0', 'one closes 0', 'one opens 0'])
    expect(workers.map(({ start }) => start.offset)).toEqual([0n, 0n])
    await stop()
  })

  test('that fails between two records ends the reader, after it was closed', async () => {
    topicOf(1)
    const failed = Promise.withResolvers<never>()
    const { done, workers } = reading({ failed: failed.promise })
    await eventually('it is open', () => workers.length === 1)
    failed.reject(new Error('the disk is full'))
    await expect(done).rejects.toThrow('the disk is full')
    expect(told).toEqual(['one opens 0', 'one closes 0'])
  })

  test('is closed when the reader stops, before the group is left', async () => {
    topicOf(1)
    const { stop, workers } = reading({
      close: async () => {
        told.push(`${broker.group(group).memberCount} member`)
      },
    })
    await eventually('it is open', () => workers.length === 1)
    await stop()
    expect(told).toEqual(['one opens 0', '1 member', 'one closes 0'])
    expect(broker.group(group).memberCount).toBe(0)
  })
})

test('a reader whose group does not come to an assignment stops all the same', async () => {
  broker = new MemoryBroker({ clock, rebalanceDelayMs: () => 1_000_000_000 })
  topicOf(1)
  fill(0, 1, 2, 3)
  const { workers, stop } = reading()
  await eventually('it waits for the others', () => broker.group(group).memberCount === 1)
  await stop()
  expect([workers, broker.group(group).memberCount]).toEqual([[], 0])
})

test('a reader that is stopped before it began reads nothing', async () => {
  topicOf(1)
  const stopped = new AbortController()
  stopped.abort()
  const reader = new Reader<Note>({
    kafka: broker.client(),
    clock,
    log: pino({ level: 'silent' }),
    group,
    topic,
    partitions: 1,
    numbering: notes,
    open: () => Promise.reject(new Error('opened')),
  })
  await reader.run(AbortSignal.any([stopped.signal, untilDone]))
  expect(broker.group(group).memberCount).toBe(0)
})
