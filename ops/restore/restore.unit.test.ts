import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LogRecord } from '../../core/events.ts'
import { windowOf } from '../../schemas/archive/archive-name.ts'
import { decodeCommandRecord, encodeCommandRecord, encodeLogRecord } from '../../schemas/codec.ts'
import { fileStop, type FilesPort, nodeFiles } from '../../runtime/files.ts'
import { type BrokerRequest, type Delivery, MemoryBroker } from '../../runtime/kafka/testing/memory-broker.ts'
import { namesOf } from '../../runtime/names.ts'
import { restoreMark } from '../../runtime/restore-mark.ts'
import { TestClock } from '../../runtime/testing/test-clock.ts'
import { ArchiveOnDisk } from '../testing/archive-on-disk.ts'
import { windowMs } from '../testing/small-log.ts'
import { SmallWorld } from '../testing/small-world.ts'
import { restoreText } from './report.ts'
import { restore, type RestoreOptions, type RestoreResult } from './restore.ts'

const names = namesOf('demo')
const { log: topic, commands } = names.topics

/** A broker that was made anew, and the archive of the log that it lost. */
class LostWorld {
  readonly clock = new TestClock()
  readonly broker: MemoryBroker
  readonly disk: ArchiveOnDisk
  /** What the archive holds, in order. */
  readonly archived: readonly LogRecord[]
  /** What the network does to each request, by turns of its kind. */
  network: (request: BrokerRequest) => Delivery = () => 'delivered'

  constructor(dir: string) {
    const { log } = new SmallWorld({ dir, last: 'ticks' })
    this.disk = new ArchiveOnDisk(dir)
    const open = windowOf(log.at(-1)?.pos ?? 0n, windowMs)
    this.archived = log.filter(({ pos }) => windowOf(pos, windowMs) < open)
    this.broker = new MemoryBroker({ clock: this.clock, network: request => this.network(request) })
    // Small enough for several transactions.
    this.broker.addTopic({ topic, partitions: 1, config: { 'max.message.bytes': '2500' } })
    this.broker.addTopic({ topic: commands, partitions: 1 })
    this.broker.offsets(names.groups.bridge, commands).set(0, { offset: 0n, metadata: 'n=0 pos=0' })
  }

  async restore(over: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
    // The archive is of an earlier time.
    await this.clock.sleep(10_000)
    return restore({
      ...{ dir: this.disk.dir, kafka: this.broker.client(), files: nodeFiles, clock: this.clock, names },
      ...{ who: 'ann', why: 'INC-35', mode: 'write', live: () => {} },
      ...over,
    })
  }

  get records() {
    const log = this.broker.log(topic, 0)
    return log.tail(1000, log.high)
  }

  get mark(): string | undefined {
    return this.broker.offsets(names.groups.bridge, commands).get(0)?.metadata
  }

  get commands() {
    const log = this.broker.log(commands, 0)
    return log.tail(1000, log.high).map(({ value }) => decodeCommandRecord(value))
  }

  /** As a bridge would have written it, outside any transaction. */
  put(record: LogRecord): void {
    const value = encodeLogRecord(record)
    this.broker.log(topic, 0).append([{ key: null, value, timestampMs: record.pos / 1000n }], null)
  }
}

let dir: string
let world: LostWorld
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-restore-'))
  world = new LostWorld(dir)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** The topic holds the archive's records and nothing else, as the bridge wrote them. */
const expectWhole = (): void => {
  const { archived, records } = world
  expect(records.map(({ value }) => value)).toEqual(archived.map(encodeLogRecord))
  expect(records.map(({ timestampMs }) => timestampMs)).toEqual(archived.map(({ pos }) => pos / 1000n))
  expect(records.every(({ key }) => key === null)).toBe(true)
  expect(world.mark).toBe(restoreMark.done)
}

/** The request of a kind about the log, counted from 1, that something happens to; sending the Note comes before. */
const at = (
  kind: BrokerRequest['kind'],
  nth: number,
  delivery: () => Delivery,
): ((request: BrokerRequest) => Delivery) => {
  let seen = 0
  return request => (request.kind === kind && isLogs(request) && ++seen === nth ? delivery() : 'delivered')
}
const isLogs = ({ target }: BrokerRequest): boolean => target === topic || target === names.transactionalIds.bridge
class Cut extends Error {}
/** The process ends when so many transactions of the log are written. */
const cutAfter = (transactions: number): Partial<RestoreOptions> => {
  let written = 0
  return {
    live: text => {
      if (text?.startsWith('restoring') && ++written > transactions) throw new Cut()
    },
  }
}
const untouched = (): void => {
  expect(world.records).toEqual([])
  expect(world.commands).toEqual([])
  expect(world.mark).toBe('n=0 pos=0')
}

describe('into an empty topic', () => {
  test('the same bytes, times and order; the log will tell who and why', async () => {
    const result = await world.restore({ id: 'restore-1' })
    expectWhole()
    const { length } = world.archived
    expect(result).toMatchObject({ written: BigInt(length), held: { records: 0n, beyond: 0n }, aside: null })
    expect(world.commands).toEqual([
      {
        kind: 'Note',
        command: expect.objectContaining({ id: 'restore-1', who: 'ann', why: 'INC-35' }),
        text: expect.stringContaining(`${length} records up to pos ${world.archived.at(-1)?.pos}, head `),
      },
    ])
    expect(restoreText('demo', result)).toMatch(
      /settle restore: done: the topic holds all 39 records; start the services$/,
    )
    expect(world.broker.log(topic, 0).high).toBeGreaterThan(BigInt(length) + 2n)
  })

  test('a dry run proves the archive and writes nothing', async () => {
    const result = await world.restore({ mode: 'dry-run' })
    untouched()
    expect(result).toMatchObject({ written: null, archive: { records: 39n } })
    expect(restoreText('demo', result)).toMatch(/to write +│ 39[^]*dry run, nothing was written/)
  })

  test('a transaction whose outcome nobody knows is looked up, not repeated', async () => {
    for (const delivery of ['request-lost', 'answer-lost'] as const)
      for (const kind of ['produce', 'add-offset', 'end-transaction'] as const) {
        world = new LostWorld(dir)
        world.network = at(kind, 2, () => delivery)
        await world.restore()
        expectWhole()
      }
  })

  test('Kafka that does not come back: a failure, to be run again', async () => {
    world.network = request => (request.kind === 'produce' && isLogs(request) ? 'request-lost' : 'delivered')
    await expect(world.restore()).rejects.toMatchObject({ code: 'restore-kafka', reason: 'failed' })
    world.network = () => 'delivered'
    await world.restore()
    expectWhole()
  })
})

describe('what was cut goes on', () => {
  test('from wherever it was, with one Note; meanwhile the log is marked', async () => {
    for (const transactions of [0, 1, 2, 3]) {
      world = new LostWorld(dir)
      await expect(world.restore(cutAfter(transactions))).rejects.toThrow(Cut)
      expect(world.mark).toBe(restoreMark.begun)
      const there = world.records.length
      const again = await world.restore()
      expect([again.held.records, again.written]).toEqual([BigInt(there), BigInt(world.archived.length - there)])
      expectWhole()
      expect(world.commands).toHaveLength(1)
    }
  })

  test('whole already, nothing is written, whether or not a bridge has gone on', async () => {
    await world.restore()
    const end = world.broker.log(topic, 0).high
    const again = await world.restore()
    expect(restoreText('demo', again)).toMatch(/nothing to do: the topic holds all of the archive$/)
    const last = world.archived.at(-1) as LogRecord
    world.put({ kind: 'Tick', pos: (last.pos + 1n) as LogRecord['pos'], at: last.at })
    const beyond = await world.restore()
    expect(restoreText('demo', beyond)).toMatch(/and the bridge has gone on from there$/)
    expect(world.broker.log(topic, 0).high).toBe(end + 1n)
    expect(world.commands).toHaveLength(1)
  })
})

describe('it refuses, and nothing is written', () => {
  const refused = (code: string, over: Partial<RestoreOptions> = {}): Promise<void> =>
    expect(world.restore(over)).rejects.toMatchObject({ code, reason: 'refused' })

  test('a topic that holds another log', async () => {
    const [first, second] = world.archived as [LogRecord, LogRecord]
    world.put(first)
    world.put({ ...second, pos: (second.pos + 1n) as LogRecord['pos'] })
    await refused('restore-topic-differs')
    await expect(world.restore()).rejects.toThrow(
      `offset 1: a ${second.kind} of pos ${second.pos + 1n} stands where the archive has a ${second.kind} of pos ${second.pos}`,
    )
    expect(world.records).toHaveLength(2)
  })

  test('a topic whose records carry other times, or a hole', async () => {
    world.broker.put(topic, 0, { value: encodeLogRecord(world.archived[0] as LogRecord) })
    await refused('restore-topic-differs')
    world = new LostWorld(dir)
    for (const each of [0, 1, 3]) world.put(world.archived[each] as LogRecord)
    await refused('restore-topic-differs')
    expect(world.commands).toEqual([])
  })

  test('a topic that begins later, or is not there', async () => {
    world.put(world.archived[0] as LogRecord)
    world.put(world.archived[1] as LogRecord)
    world.broker.log(topic, 0).trim(1n)
    await refused('restore-topic-trimmed')
    world.broker.deleteTopic(topic)
    await refused('topic-missing')
  })

  test.each([
    [
      'a tampered byte',
      (disk: ArchiveOnDisk): void =>
        disk.edit(disk.files('outputs')[2] as string, text => text.replace(/[a-z](?=[^a-z]*\r\n$)/, 'Q')),
    ],
    [
      'a missing window',
      (disk: ArchiveOnDisk): void =>
        [disk.files('outputs')[1], disk.files('windows')[1]].forEach(path => rmSync(path as string)),
    ],
    ['a missing sidecar', (disk: ArchiveOnDisk): void => rmSync(disk.files('windows')[1] as string)],
    ['a missing file', (disk: ArchiveOnDisk): void => rmSync(disk.files('outputs')[3] as string)],
    [
      'a truncated file',
      (disk: ArchiveOnDisk): void => disk.edit(disk.files('outputs')[1] as string, text => text.slice(0, -50)),
    ],
    [
      'a sidecar of another stream',
      (disk: ArchiveOnDisk): void =>
        disk.editSidecar(disk.files('windows')[1] as string, each => ({ ...each, stream: 'other' })),
    ],
  ] as const)('an archive with %s', async (_, damage) => {
    damage(world.disk)
    await refused('restore-archive-broken')
    await expect(world.restore()).rejects.toThrow(/nothing was written:\n {2}demo\/engine\.outputs\/.*\n[^]*way out: /)
    untouched()
  })

  test('an archive that is empty', async () => {
    rmSync(join(dir, 'demo', 'engine.outputs'), { recursive: true })
    await refused('restore-archive-broken')
    untouched()
  })

  test('while a bridge runs', async () => {
    const membership = await world.broker.client('bridge-1').join({
      ...{ group: names.groups.bridge, topic: commands },
      onAssignment: () => {},
      onFailure: () => {},
    })
    await refused('restore-bridge-runs')
    await expect(world.restore()).rejects.toThrow(/1 bridges of the stream run: bridge-1/)
    untouched()
    await membership.leave()
    await world.restore()
    expectWhole()
  })

  test('with a clock before the archive’s end', async () => {
    const early = new TestClock()
    await refused('restore-clock', {
      clock: { nowUs: () => 1_700_000_004_999_999n, monotonicMs: () => 0, sleep: ms => early.sleep(ms) },
    })
    untouched()
  })

  test('a record larger than the topic takes', async () => {
    world.broker.deleteTopic(topic)
    world.broker.addTopic({ topic, partitions: 1, config: { 'max.message.bytes': '300' } })
    await refused('restore-record-too-large')
    untouched()
  })
})

test('a bridge that begins meanwhile fences it, and finds the mark', async () => {
  const bridges: Promise<unknown>[] = []
  world.network = at('produce', 4, () => {
    bridges.push(world.broker.client('bridge-1').openTxWriter({ transactionalId: names.transactionalIds.bridge }))
    return 'delivered'
  })
  await expect(world.restore()).rejects.toMatchObject({ code: 'restore-fenced', reason: 'refused' })
  await Promise.all(bridges)
  expect(world.mark).toBe(restoreMark.begun)
  await world.restore()
  expectWhole()
})

test('an archive that changes after it was proved stops it', async () => {
  world.network = at('produce', 3, () => {
    world.disk.edit(world.disk.files('outputs')[3] as string, text => text.replace(/[a-z](?=[^a-z]*\r\n$)/, 'Q'))
    return 'delivered'
  })
  await expect(world.restore()).rejects.toMatchObject({ code: 'restore-archive-changed' })
  expect(world.mark).toBe(restoreMark.begun)
})

describe('windows behind the log’s end', () => {
  /** The log's archive lost its last two windows: those of the partitions are ahead of it. */
  const shorten = (): void => {
    for (const table of ['outputs', 'windows'])
      for (const path of world.disk
        .files(table)
        .filter(each => each.includes('engine.outputs'))
        .slice(-3))
        rmSync(path)
  }
  const all = (): readonly string[] =>
    (readdirSync(dir, { recursive: true, encoding: 'utf8' }) as readonly string[])
      .filter(each => /\.(csv|json)$/.test(each))
      .sort()

  test('are moved aside: their outputs come again later', async () => {
    shorten()
    const before = all()
    const dry = await world.restore({ mode: 'dry-run' })
    expect(all()).toEqual(before)
    const { aside } = await world.restore()
    expect(aside?.files).toBe(dry.aside?.files)
    expect(aside?.files).toBeGreaterThan(3)
    const moved = all().filter(each => each.startsWith(aside?.folder as string))
    expect(moved).toHaveLength(aside?.files as number)
    expect(moved.every(each => each.includes('0001700000002'))).toBe(true)
    expect(
      all()
        .map(each => each.replace(/^demo\.set-aside-\d+/, 'demo'))
        .sort(),
    ).toEqual([...before])
  })

  test('in a folder that is read-only: nothing is written', async () => {
    shorten()
    const files: FilesPort = {
      ...nodeFiles,
      makeFolder: path => Promise.reject(fileStop('make folder', path, { code: 'EROFS' })),
    }
    await expect(world.restore({ files })).rejects.toMatchObject({ code: 'disk-read-only', reason: 'usage' })
    untouched()
    expect(existsSync(join(dir, 'demo'))).toBe(true)
  })
})

test('operators’ commands whose answers are lost are named', async () => {
  const say = (id: string, text: string): void => {
    const value = encodeCommandRecord({ kind: 'Note', command: { id, who: 'bob', why: 'INC-9', time: 5n }, text })
    world.broker.put(commands, 0, { value })
  }
  // c-1 is answered in the archive, the second was answered behind its end, the third by nobody.
  for (const id of ['c-1', 'lost-1', 'waits-1']) say(id, 'x')
  world.broker.offsets(names.groups.bridge, commands).set(0, { offset: 2n, metadata: 'id=lost-1' })
  const result = await world.restore()
  expect(result.lostAnswers).toEqual([{ kind: 'Note', id: 'lost-1', who: 'bob', why: 'INC-9' }])
  expect(restoreText('demo', result)).toContain('  Note lost-1 of bob: INC-9')
  expect(world.broker.offsets(names.groups.bridge, commands).get(0)).toEqual({ offset: 2n, metadata: restoreMark.done })
})
