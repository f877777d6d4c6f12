import fc from 'fast-check'
import { Registry } from 'prom-client'
import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../runtime/clock.ts'
import { MemoryBroker } from '../../runtime/kafka/testing/memory-broker.ts'
import { namesOf } from '../../runtime/names.ts'
import type { FilesPort } from '../../runtime/files.ts'
import { ArchiveService } from './archive-service.ts'
import { checkSettings } from './limits.ts'
import { dir, quietLog, stillClock } from './testing/archive-group.ts'
import { type ArchiveLog, archiveLog, windowMs } from './testing/archive-log.ts'
import { MemoryDisk } from './testing/memory-disk.ts'

const names = namesOf('demo')
const fresh = { offset: 0n, metadata: 'n=0 pos=0' }

const kafkaWith = ({ users, log }: ArchiveLog): MemoryBroker => {
  const broker = new MemoryBroker({ clock: systemClock, fetchWaitMs: 5, fetchCount: () => 10 })
  const { topics, groups } = names
  for (const [topic, group, partitions] of [
    [topics.users, groups.archive, users],
    [topics.log, groups.archiveLog, [log]],
  ] as const) {
    broker.addTopic({ topic, partitions: partitions.length })
    for (const [partition, records] of partitions.entries()) {
      for (const { offset, value } of records) broker.put(topic, partition, { offset, value })
      broker.offsets(group, topic).set(partition, fresh)
    }
  }
  return broker
}

const serviceOn = (broker: MemoryBroker, files: FilesPort, instance = 'one') => {
  const metrics = new Registry()
  let randoms = 0
  const service = new ArchiveService({
    kafka: broker.client(),
    files,
    metrics,
    clock: stillClock,
    log: quietLog,
    random: () => (++randoms).toString(16),
    stream: 'demo',
    partitions: 2,
    dir,
    windowMs,
    instance,
  })
  return { service, metrics }
}

/** Every partition's last window is over when its commit stands before the window of the last record. */
const closedAll = ({ users, log }: ArchiveLog, kafka: MemoryBroker): boolean =>
  [...users.entries(), ['log', log] as const].every(([key, records]) => {
    const group =
      key === 'log'
        ? kafka.offsets(names.groups.archiveLog, names.topics.log).get(0)
        : kafka.offsets(names.groups.archive, names.topics.users).get(key)
    const lastWindow = (records.at(-1)?.record.pos ?? 0n) / BigInt(windowMs * 1000)
    const last = [...records].findLast(({ record }) => record.pos / BigInt(windowMs * 1000) < lastWindow)
    return last === undefined || group?.offset === last.offset + 1n
  })

const untilClosed = (log: ArchiveLog, kafka: MemoryBroker): Promise<void> =>
  vi.waitFor(() => expect(closedAll(log, kafka)).toBe(true), { timeout: 10_000, interval: 5 })

const bytesOf = (disk: MemoryDisk): Record<string, string> =>
  Object.fromEntries([...disk.contents].map(([path, bytes]) => [path, bytes.toString('latin1')]))

/** An instance that is assigned anew while it ends may leave a part behind, as a killed one does. */
const finalsOf = (disk: MemoryDisk): Record<string, string> =>
  Object.fromEntries(Object.entries(bytesOf(disk)).filter(([path]) => !path.endsWith('.part')))

const wholeOf = async (log: ArchiveLog): Promise<Record<string, string>> => {
  const [disk, kafka, stopping] = [new MemoryDisk(dir), kafkaWith(log), new AbortController()]
  const running = serviceOn(kafka, disk).service.run(stopping.signal)
  await untilClosed(log, kafka)
  stopping.abort()
  await running
  return bytesOf(disk)
}

const one = (): ArchiveLog => fc.sample(archiveLog, { seed: 11, numRuns: 3 })[2] as ArchiveLog

describe('the archive service', () => {
  test('archives both topics, and says how far it is', async () => {
    const [log, disk, stopping] = [one(), new MemoryDisk(dir), new AbortController()]
    const kafka = kafkaWith(log)
    const { service, metrics } = serviceOn(kafka, disk)
    expect(service.health()).toMatchObject({ ok: false, state: 'starting' })
    const running = service.run(stopping.signal)
    await untilClosed(log, kafka)
    const lastPos = log.log.at(-1)?.record.pos
    expect(service.health()).toMatchObject({
      ok: true,
      state: 'running',
      partitions: { 'user.outputs/0': {}, 'user.outputs/1': {}, 'engine.outputs/0': { takenPos: lastPos } },
    })
    const text = await metrics.metrics()
    expect(text).toContain(`settle_archive_records_total{topic="engine.outputs"} ${log.log.length}`)
    expect(text).toContain(`settle_archive_last_pos{topic="engine.outputs",partition="0"} ${lastPos}`)
    expect(text).toContain('settle_archive_state{state="running"} 1')
    stopping.abort()
    await running
    expect(service.health()).toMatchObject({ ok: false, state: 'stopped', partitions: {} })
    const tables = new Set(Object.keys(bytesOf(disk)).map(path => path.split('/').slice(2, 5).join('/')))
    expect([...tables].sort()).toEqual([
      'demo/engine.outputs/outputs',
      'demo/engine.outputs/windows',
      'demo/user.outputs/ledger',
      'demo/user.outputs/orders',
      'demo/user.outputs/reference',
      'demo/user.outputs/trades',
      'demo/user.outputs/windows',
    ])
  })

  test('instances that come and go leave the folder that one alone would have left', () =>
    fc.assert(
      fc.asyncProperty(archiveLog, fc.array(fc.nat(40), { minLength: 4, maxLength: 4 }), async (log, turns) => {
        const whole = await wholeOf(log)
        const [disk, kafka] = [new MemoryDisk(dir), kafkaWith(log)]
        const lives = turns.map((turn, i) => ({ turn, stop: new AbortController(), name: `life-${i}` }))
        const running: Promise<void>[] = []
        for (const { turn, stop, name } of lives) {
          running.push(serviceOn(kafka, disk, name).service.run(stop.signal))
          for (let i = 0; i < turn; i++) await new Promise(resolve => setImmediate(resolve))
          // Every other one leaves in the middle of its work; the last stays.
          if (name === 'life-0' || name === 'life-2') stop.abort()
        }
        await untilClosed(log, kafka)
        for (const { stop } of lives) stop.abort()
        await Promise.all(running)
        expect(finalsOf(disk)).toEqual(whole)
      }),
      { numRuns: 15 },
    ))

  test('one topic that can’t go on ends both, with its reason in the metric', async () => {
    const log = one()
    const kafka = kafkaWith(log)
    kafka.offsets(names.groups.archiveLog, names.topics.log).set(0, { offset: 1n, metadata: 'n=0 pos=77' })
    const { service, metrics } = serviceOn(kafka, new MemoryDisk(dir))
    await expect(service.run(new AbortController().signal)).rejects.toMatchObject({ code: 'offset-other-log' })
    expect(service.health()).toMatchObject({ ok: false, state: 'failed', partitions: {} })
    expect(await metrics.metrics()).toContain('settle_archive_errors_total{code="offset-other-log"} 1')
  })

  test('a folder that is not there stops it', async () => {
    const { service } = serviceOn(kafkaWith(one()), new MemoryDisk('/elsewhere'))
    await expect(service.run(new AbortController().signal)).rejects.toMatchObject({
      code: 'folder-missing',
      reason: 'usage',
    })
    expect(service.health()).toMatchObject({ partitions: {} })
  })
})

test('three heartbeats must fit in a session', () => {
  const settings = { KAFKA_SESSION_TIMEOUT_MS: 1000, KAFKA_HEARTBEAT_INTERVAL_MS: 400 }
  expect(() => checkSettings(settings)).toThrow(/KAFKA_HEARTBEAT_INTERVAL_MS=400/)
  expect(() => checkSettings({ ...settings, KAFKA_HEARTBEAT_INTERVAL_MS: 300 })).not.toThrow()
})
