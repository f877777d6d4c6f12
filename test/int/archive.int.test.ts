import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogRecord, UserRecord } from '../../core/events.ts'
import { history } from '../../core/testing/history.ts'
import { up } from '../../local/stack.ts'
import { openKafka } from '../../runtime/kafka/kafka.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { fromCommitted, toCommitted } from '../../runtime/reader/progress.ts'
import type { ReadRecord } from '../../runtime/reader/reader.ts'
import { canMount } from '../../runtime/testing/can-mount.ts'
import { pos } from '../../core/ids.ts'
import { chainProblems } from '../../schemas/archive/archive-chain.ts'
import { windowOf } from '../../schemas/archive/archive-name.ts'
import { decodeSidecar, type Sidecar } from '../../schemas/archive/sidecar.ts'
import { outputsTable } from '../../schemas/archive/outputs-table.ts'
import { readTable } from '../../schemas/archive/table.ts'
import { inheritedEnvironment } from '../../sim/pipeline/inherited-environment.ts'
import { logOf } from '../../sink-starrocks/archive/testing/archive-log.ts'

const windowMs = 5000
const stream = `archive_int_${process.pid}_${Date.now().toString(36)}`
const names = namesOf(stream)
const outputs = fc.sample(history, { seed: 5, numRuns: 60 }).flat()
const beats = fc.sample(
  fc.record({
    stepUs: fc.bigInt({ min: 1n, max: 300_000n }),
    barrier: fc.constantFrom<'none' | 'after'>('none', 'none', 'after'),
  }),
  { seed: 5, numRuns: 400 },
)
const archived = logOf(outputs, beats)

let kafka: KafkaPort
let brokers: string
let root: string
const children = new Set<ChildProcess>()

beforeAll(async () => {
  const stack = await up({ servers: ['kafka'] })
  brokers = stack.kafka.brokers.join()
  root = await mkdtemp(join(tmpdir(), 'settle-archive-'))
  const log = pino({ level: 'warn' })
  kafka = openKafka({
    brokers: stack.kafka.brokers,
    clientId: stream,
    log,
    sessionTimeoutMs: 6000,
    heartbeatIntervalMs: 500,
  })
  await kafka.admin.createTopics([
    { topic: names.topics.users, partitions: 2, replicationFactor: 1, config: {} },
    { topic: names.topics.log, partitions: 1, replicationFactor: 1, config: {} },
  ])
  const writer = await kafka.openTxWriter({ transactionalId: `${stream}.writer` })
  const sending = [
    ...archived.log.map(read => ({ topic: names.topics.log, partition: 0, read })),
    ...archived.users.flatMap((reads, partition) =>
      reads.map(read => ({ topic: names.topics.users, partition, read })),
    ),
  ].map(({ read: { record, value }, ...to }) => ({ ...to, value, key: null, timestampMs: record.pos / 1000n }))
  // Many transactions, so that markers leave holes between the offsets.
  for (let at = 0; at < sending.length; at += 300) await writer.commitBatch({ records: sending.slice(at, at + 300) })
  await writer.close()
})

afterAll(async () => {
  await kafka?.admin.deleteTopics([names.topics.users, names.topics.log])
  await kafka?.close()
  if (root) await rm(root, { recursive: true, force: true })
})

beforeEach(async () => {
  const start = toCommitted({ offset: 0n, n: 0n, pos: pos(0n) })
  const { archive, archiveLog } = names.groups
  await vi.waitUntil(
    async () => [...(await kafka.admin.members(archive)), ...(await kafka.admin.members(archiveLog))].length === 0,
    { timeout: 30_000, interval: 200 },
  )
  await kafka.admin.setOffsets({
    group: archive,
    topic: names.topics.users,
    offsets: new Map([
      [0, start],
      [1, start],
    ]),
  })
  await kafka.admin.setOffsets({ group: archiveLog, topic: names.topics.log, offsets: new Map([[0, start]]) })
})

afterEach(async () => {
  await Promise.all([...children].map(child => ended(child, 'SIGKILL')))
})

type Life = { readonly child: ChildProcess; readonly output: () => string }

const start = (dir: string, instance: string, env: Readonly<Record<string, string>> = {}): Life => {
  const child = spawn(process.execPath, ['sink-starrocks/archive/main.ts'], {
    env: {
      ...inheritedEnvironment(),
      STREAM: stream,
      STOP_LINGER_MS: '0',
      KAFKA_BROKERS: brokers,
      KAFKA_SESSION_TIMEOUT_MS: '6000',
      PARTITIONS: '2',
      ARCHIVE_DIR: dir,
      WINDOW_MS: `${windowMs}`,
      INSTANCE: instance,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let text = ''
  for (const stdio of [child.stdout, child.stderr]) stdio.on('data', (data: Buffer) => (text += data.toString()))
  return { child, output: () => text }
}

/** Ends a process and resolves with its exit code, or null when a signal ended it. */
const ended = async (child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = new Promise<void>(resolve => child.once('exit', () => resolve()))
    if (signal) child.kill(signal)
    await exit
  }
  children.delete(child)
  return child.exitCode
}

/** What it said is shown when it ends otherwise. */
const expectEnd = async (
  { child, output }: Life,
  { signal, code }: { readonly signal?: NodeJS.Signals; readonly code: number },
): Promise<void> => {
  const found = await ended(child, signal)
  expect({ code: found, output: found === code ? '' : output() }).toEqual({ code, output: '' })
}

type Read = ReadRecord<UserRecord | LogRecord>
const lastClosed = (records: readonly Read[]): Read => {
  const last = windowOf(records.at(-1)?.record.pos ?? 0n, windowMs)
  return records.findLast(({ record }) => windowOf(record.pos, windowMs) < last) as Read
}

/** Of the records that will be archived, how many are: from 0 to 1, by pos, the slowest partition. */
const share = async (): Promise<number> => {
  const users = await kafka.committed({ group: names.groups.archive, topic: names.topics.users })
  const log = await kafka.committed({ group: names.groups.archiveLog, topic: names.topics.log })
  const first = archived.log[0]?.record.pos ?? 0n
  const shares = [
    ...archived.users.map((reads, p) => [reads, users.get(p)] as const),
    [archived.log, log.get(0)] as const,
  ]
  return Math.min(
    ...shares.map(([reads, committed]) => {
      const at = (committed && fromCommitted(committed)?.pos) ?? 0n
      return at === 0n ? 0 : Number(at - first) / Number(lastClosed(reads).record.pos - first)
    }),
  )
}
const untilShare = (least: number): Promise<void> =>
  vi.waitFor(async () => expect(await share()).toBeGreaterThanOrEqual(least), { timeout: 90_000, interval: 100 })

const filesIn = async (dir: string): Promise<ReadonlyMap<string, Buffer>> => {
  const paths = (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(paths.sort().map(async path => [path.slice(dir.length + 1), await readFile(path)] as const)),
  )
}
const csvDigests = (files: ReadonlyMap<string, Buffer>): Record<string, string> =>
  Object.fromEntries(
    [...files]
      .filter(([path]) => path.endsWith('.csv'))
      .map(([path, bytes]) => [path, createHash('sha256').update(bytes).digest('hex')]),
  )
const sidecarsIn = (files: ReadonlyMap<string, Buffer>): Sidecar[][] => {
  const all = [...files].filter(([path]) => path.endsWith('.json')).map(([path, bytes]) => decodeSidecar(bytes, path))
  return [...Map.groupBy(all, ({ topic, partition }) => `${topic}/${partition}`).values()]
}

/** Whole by its own word: chains, and every file exactly as its sidecar says, none beside them. */
const checkFolder = (files: ReadonlyMap<string, Buffer>): void => {
  const chains = sidecarsIn(files)
  expect(chains.length).toBe(3)
  for (const chain of chains) expect(chainProblems(chain)).toEqual([])
  const said = chains.flat().flatMap(sidecar => sidecar.files)
  const digests = Object.entries(csvDigests(files)).map(([path, sha256]) => [basename(path), sha256])
  expect(Object.fromEntries(digests)).toEqual(Object.fromEntries(said.map(({ name, sha256 }) => [name, sha256])))
}

let alone: ReadonlyMap<string, Buffer>

test('one process archives both topics; its folder proves itself and holds the log byte for byte', async () => {
  const dir = join(root, 'alone')
  await mkdir(dir)
  const life = start(dir, 'one')
  await untilShare(1)
  await expectEnd(life, { signal: 'SIGTERM', code: 0 })
  alone = await filesIn(dir)
  checkFolder(alone)
  expect([...alone.keys()].filter(path => path.endsWith('.part'))).toEqual([])
  const values: Buffer[] = []
  for (const [path, bytes] of alone)
    if (path.includes('/outputs/')) for await (const { record } of readTable(outputsTable, [bytes])) values.push(record)
  const last = lastClosed(archived.log).record.pos
  expect(values).toEqual(archived.log.filter(({ record }) => record.pos <= last).map(({ value }) => value))
})

test('three processes, killed, stopped and started again, leave the same files in one folder', async () => {
  const dir = join(root, 'three')
  await mkdir(dir)
  const lives = ['a', 'b', 'c'].map(name => start(dir, name))
  for (const least of [0.05, 0.3, 0.6]) {
    await untilShare(least)
    const { child } = lives.shift() as Life
    await ended(child, least === 0.3 ? 'SIGTERM' : 'SIGKILL')
    lives.push(start(dir, `again-${least * 100}`))
  }
  await untilShare(1)
  for (const life of lives) await expectEnd(life, { signal: 'SIGTERM', code: 0 })
  const files = await filesIn(dir)
  expect(csvDigests(files)).toEqual(csvDigests(alone))
  checkFolder(files)
  expect(
    sidecarsIn(files)
      .flat()
      .map(({ hash }) => hash),
  ).toEqual(
    sidecarsIn(alone)
      .flat()
      .map(({ hash }) => hash),
  )
})

describe('what it can’t do, it says, and ends with a code', () => {
  const mounted: string[] = []
  afterEach(() => {
    for (const dir of mounted.splice(0)) execFileSync('/usr/bin/umount', ['-l', dir])
  })
  /** A small file system of its own: a test that runs as root is let through every permission. */
  const mount = async (name: string, options: string): Promise<string> => {
    const dir = join(root, name)
    await mkdir(dir)
    execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', dir])
    mounted.push(dir)
    return dir
  }

  test('a folder that is not there: 2', async () => {
    const { child, output } = start(join(root, 'missing'), 'one')
    expect(await ended(child)).toBe(2)
    expect(output()).toMatch(/"code":"folder-missing".*ARCHIVE_DIR=.*does not exist/)
  })

  test('settings that are wrong: 2, all of them named', async () => {
    const { child, output } = start(root, 'a/b', { WINDOW_MS: '999', PARTITIONS: 'many', ARCHIVE_DIR: '' })
    expect(await ended(child)).toBe(2)
    for (const word of [
      'WINDOW_MS="999": must be at least 1000',
      'PARTITIONS="many"',
      'ARCHIVE_DIR is not set',
      'INSTANCE="a/b"',
    ])
      expect(output()).toContain(word)
  })

  test.runIf(canMount)('a read-only file system: 2, nothing committed', async () => {
    const dir = await mount('read-only', 'ro,size=64k')
    const { child, output } = start(dir, 'one')
    expect(await ended(child)).toBe(2)
    expect(output()).toMatch(/"code":"disk-read-only".*can't make folder .*mount it writable \(EROFS\)/)
    expect(await share()).toBe(0)
  })

  test.runIf(canMount)('a full disk: 1, nothing half-visible, and with room it goes on to the same files', async () => {
    const dir = await mount('full', 'size=512k')
    const first = start(dir, 'one')
    await expectEnd(first, { code: 1 })
    expect(first.output()).toMatch(/"code":"disk-full".*no space left; make room/)
    const files = await filesIn(dir)
    for (const path of files.keys()) expect(dirname(path)).not.toContain('.part')
    expect([...files.keys()].filter(path => path.endsWith('.part'))).toEqual([])
    for (const [path, digest] of Object.entries(csvDigests(files))) expect(csvDigests(alone)[path]).toBe(digest)
    execFileSync('/usr/bin/mount', ['-o', 'remount,size=64m', dir])
    const second = start(dir, 'two')
    await untilShare(1)
    await expectEnd(second, { signal: 'SIGTERM', code: 0 })
    expect(csvDigests(await filesIn(dir))).toEqual(csvDigests(alone))
  })
})
