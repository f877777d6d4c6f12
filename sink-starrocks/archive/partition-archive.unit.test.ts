import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { UserRecord } from '../../core/events.ts'
import { chainProblems } from '../../schemas/archive/archive-chain.ts'
import { archiveFileName, archiveFolder, parseArchiveFileName, windowOf } from '../../schemas/archive/archive-name.ts'
import { decodeSidecar, type Sidecar } from '../../schemas/archive/sidecar.ts'
import { readTable } from '../../schemas/archive/table.ts'
import { userRows, userTables } from '../../schemas/archive/user-tables.ts'
import { outputsTable } from '../../schemas/archive/outputs-table.ts'
import type { UserTable } from '../../schemas/archive/archive-tables.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import type { ReadRecord } from '../../runtime/reader/reader.ts'
import { parseNote } from './archive-note.ts'
import { logSource, userSource } from './archive-sources.ts'
import { ArchiveGroup, dir } from './testing/archive-group.ts'
import { type ArchiveLog, archiveLog, windowMs } from './testing/archive-log.ts'
import { Died, MemoryDisk } from './testing/memory-disk.ts'

const usersAt = (log: ArchiveLog, partition: number) =>
  new ArchiveGroup({
    source: userSource,
    records: log.users[partition] as readonly ReadRecord<UserRecord>[],
    partition: { stream: 'demo', topic: 'user.outputs', partition, partitions: 2 },
  })
const logAt = (log: ArchiveLog) =>
  new ArchiveGroup({
    source: logSource,
    records: log.log,
    partition: { stream: 'demo', topic: 'engine.outputs', partition: 0, partitions: 1 },
  })

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
const fixed = (): ArchiveLog => fc.sample(archiveLog, { seed: 3, numRuns: 4 })[3] as ArchiveLog

const sidecarsOf = (disk: MemoryDisk): Sidecar[] =>
  [...disk.contents].filter(([path]) => path.endsWith('.json')).map(([path, bytes]) => decodeSidecar(bytes, path))
const partsOf = (disk: MemoryDisk): string[] => [...disk.contents.keys()].filter(path => path.endsWith('.part'))
const bytesOf = (disk: MemoryDisk): Record<string, string> =>
  Object.fromEntries([...disk.contents].map(([path, bytes]) => [path, bytes.toString('latin1')]))

const rowsIn = async (disk: MemoryDisk, table: UserTable | 'outputs'): Promise<string[][]> => {
  const definition = table === 'outputs' ? outputsTable : userTables[table]
  const all: string[][] = []
  for (const [path, bytes] of disk.contents)
    if (path.includes(`/${table}/`) && path.endsWith('.csv'))
      for await (const row of readTable<never>(definition as never, [bytes])) all.push(definition.toCells(row))
  return all
}

/** Windows that are over: all but the one that the last record is in. */
const closedRecords = <R extends { readonly pos: bigint }>(records: readonly ReadRecord<R>[]): ReadRecord<R>[] => {
  const last = windowOf(records.at(-1)?.record.pos ?? 0n, windowMs)
  return records.filter(({ record }) => windowOf(record.pos, windowMs) < last)
}

describe('what a finished archive holds', () => {
  test('each row of each closed window once, in order, chained, whatever the batches', () =>
    fc.assert(
      fc.asyncProperty(archiveLog, sizes, sizes, async (log, some, others) => {
        for (const partition of [0, 1]) {
          const [disk, again] = [new MemoryDisk(dir), new MemoryDisk(dir)]
          await usersAt(log, partition).live({ disk, sizes: some })
          await usersAt(log, partition).live({ disk: again, sizes: others, instance: 'two' })
          expect(bytesOf(disk)).toEqual(bytesOf(again))
          expect(partsOf(disk)).toEqual([])
          expect(chainProblems(sidecarsOf(disk))).toEqual([])
          const expected = closedRecords(log.users[partition] as readonly ReadRecord<UserRecord>[]).flatMap(
            ({ record }) => userRows(record, partition),
          )
          for (const table of ['trades', 'orders', 'ledger', 'reference'] as const)
            expect(await rowsIn(disk, table)).toEqual(
              expected.filter(row => row[0] === table).map(([, cells]) => cells),
            )
        }
      }),
      { numRuns: 25 },
    ))

  test('the log byte for byte', () =>
    fc.assert(
      fc.asyncProperty(archiveLog, sizes, async (log, some) => {
        const disk = new MemoryDisk(dir)
        await logAt(log).live({ disk, sizes: some })
        const rows = (await rowsIn(disk, 'outputs')).map(cells => outputsTable.fromCells(cells))
        expect(rows.map(({ record }) => record)).toEqual(closedRecords(log.log).map(({ value }) => value))
        expect(chainProblems(sidecarsOf(disk))).toEqual([])
      }),
      { numRuns: 15 },
    ))

  test('rows stand in the window of their pos, names sort as the windows do, and empty windows have no file', async () => {
    const log = fixed()
    const disk = new MemoryDisk(dir)
    await usersAt(log, 0).live({ disk })
    const places = [...disk.contents.keys()].map(path => parseArchiveFileName(path.slice(path.lastIndexOf('/') + 1)))
    const windows = places.filter(place => place?.table === 'windows').map(place => place?.window ?? 0n)
    expect(windows).toEqual([...windows].sort((a, b) => (a < b ? -1 : 1)))
    const withRows = closedRecords(log.users[0] ?? [])
      .filter(({ record }) => userRows(record, 0).length > 0)
      .map(({ record }) => windowOf(record.pos, windowMs))
    expect(windows).toEqual([...new Set(withRows)])
    expect(BigInt(windows.length)).toBeLessThan((windows.at(-1) ?? 0n) - (windows[0] ?? 0n))
    for (const sidecar of sidecarsOf(disk))
      for (const { firstPos, lastPos } of sidecar.files) {
        expect(windowOf(firstPos, windowMs)).toBe(sidecar.window)
        expect(windowOf(lastPos, windowMs)).toBe(sidecar.window)
      }
  })

  test('hash and rows do not depend on offsets, n or where barriers stand', async () => {
    const log = fixed()
    const [disk, remade] = [new MemoryDisk(dir), new MemoryDisk(dir)]
    await usersAt(log, 0).live({ disk })
    const fewer = (log.users[0] ?? []).filter(({ record }, i, all) => record.kind !== 'Barrier' || i === all.length - 1)
    const moved = fewer.map((read, i) => ({
      ...read,
      offset: BigInt(i * 3 + 5),
      record: { ...read.record, n: BigInt(i) + 1n, src: 9n },
    }))
    await usersAt({ ...log, users: [moved, []] }, 0).live({ disk: remade })
    const csv = (of: MemoryDisk) =>
      Object.fromEntries(Object.entries(bytesOf(of)).filter(([path]) => path.endsWith('csv')))
    expect(csv(remade)).toEqual(csv(disk))
    expect(sidecarsOf(remade).map(({ hash }) => hash)).toEqual(sidecarsOf(disk).map(({ hash }) => hash))
    expect(sidecarsOf(remade)[0]?.read).not.toEqual(sidecarsOf(disk)[0]?.read)
  })
})

describe('the committed offset', () => {
  test('stands just after the last record of each closed window, with its n, pos and the hash to chain on', async () => {
    const log = fixed()
    const disk = new MemoryDisk(dir)
    const group = usersAt(log, 1)
    await group.live({ disk, sizes: [3, 11] })
    const records = log.users[1] ?? []
    for (const { offset, n, pos, note } of group.commits) {
      const at = records.findIndex(read => read.offset === offset - 1n)
      expect(records[at]?.record).toMatchObject({ n, pos })
      expect(windowOf(records[at + 1]?.record.pos ?? 0n, windowMs)).toBeGreaterThan(windowOf(pos, windowMs))
      const upTo = sidecarsOf(disk).filter(({ window }) => window <= windowOf(pos, windowMs))
      expect(parseNote(note)).toEqual({ windowMs, hash: upTo.at(-1)?.hash ?? '0'.repeat(64) })
    }
    const windows = new Set(closedRecords(records).map(({ record }) => windowOf(record.pos, windowMs)))
    expect(group.commits.length).toBe(windows.size)
  })

  test('is asked for again when Kafka can’t answer, and given up when somebody else owns the partition', async () => {
    const log = fixed()
    const group = logAt(log)
    const answers: (KafkaFailure | null)[] = [new KafkaFailure('retriable', 'no coordinator'), null]
    const disk = new MemoryDisk(dir)
    const commit = async (): Promise<void> => {
      const answer = answers.shift() ?? null
      if (answer) throw answer
    }
    const patient = await group.open({ disk, commit })
    await patient.take(log.log)
    expect(answers).toEqual([])
    const superseded = new KafkaFailure('superseded', 'over')
    const late = await group.open({ disk, commit: () => Promise.reject(superseded) })
    await expect(late.take(log.log)).rejects.toBe(superseded)
    await patient.close()
    await late.close()
  })
})

describe('an owner that ends in the middle', () => {
  let log: ArchiveLog
  let whole: Record<string, string>
  let steps: number
  beforeAll(async () => {
    log = fixed()
    const disk = new MemoryDisk(dir)
    await usersAt(log, 0).live({ disk, sizes: [9] })
    whole = bytesOf(disk)
    steps = disk.steps
  })

  /** What was committed must be whole on the disk, and nothing visible may be wrong. */
  const checkDurable = (group: ArchiveGroup<UserRecord>, disk: MemoryDisk): void => {
    const now = bytesOf(disk)
    for (const [path, bytes] of Object.entries(now)) if (!path.endsWith('.part')) expect(bytes).toBe(whole[path])
    const until = group.progress.pos === 0n ? -1n : windowOf(group.progress.pos, windowMs)
    const missing = Object.keys(whole).filter(path => {
      const place = parseArchiveFileName(path.slice(path.lastIndexOf('/') + 1))
      return place !== null && place.window <= until && now[path] === undefined
    })
    expect(missing).toEqual([])
  }

  test('a power loss at any step: what was committed is there, and the next owner ends with the same files', async () => {
    for (let at = 1; at <= steps; at++)
      for (const survives of [0, 0.5, 0.999]) {
        const disk = new MemoryDisk(dir)
        const group = usersAt(log, 0)
        disk.arm({ at, kind: 'die' })
        await expect(group.live({ disk, sizes: [9] })).rejects.toBeInstanceOf(Died)
        disk.losePower(() => survives)
        checkDurable(group, disk)
        await group.live({ disk, sizes: [5] })
        expect(bytesOf(disk)).toEqual(whole)
      }
  })

  test('a kill at any step: another instance goes on and leaves the dead one’s parts alone', async () => {
    for (let at = 1; at <= steps; at++) {
      const disk = new MemoryDisk(dir)
      const group = usersAt(log, 0)
      disk.arm({ at, kind: 'die' })
      await expect(group.live({ disk, sizes: [9] })).rejects.toBeInstanceOf(Died)
      disk.startAgain()
      const left = partsOf(disk)
      checkDurable(group, disk)
      await group.live({ disk, instance: 'two', sizes: [4] })
      expect(partsOf(disk)).toEqual(left)
      for (const part of left) await disk.remove(part)
      expect(bytesOf(disk)).toEqual(whole)
    }
  })

  test('a failing disk at any step stops it with a named reason, leaves no part, and room made, it goes on', async () => {
    for (let at = 1; at <= steps; at++) {
      const disk = new MemoryDisk(dir)
      const group = usersAt(log, 0)
      disk.arm({ at, kind: 'fail', errno: 'ENOSPC' })
      await expect(group.live({ disk, sizes: [9] })).rejects.toMatchObject({ code: 'disk-full', reason: 'failed' })
      expect(partsOf(disk)).toEqual([])
      disk.startAgain()
      checkDurable(group, disk)
      await group.live({ disk })
      expect(bytesOf(disk)).toEqual(whole)
    }
  })

  test('two owners at once, one of them late: the same files, and the late one’s offset counts for nothing', () =>
    fc.assert(
      fc.asyncProperty(archiveLog, sizes, sizes, async (other, some, others) => {
        const reference = new MemoryDisk(dir)
        await usersAt(other, 0).live({ disk: reference })
        const disk = new MemoryDisk(dir)
        await Promise.all([
          usersAt(other, 0).live({ disk, instance: 'one', sizes: some }),
          usersAt(other, 0).live({ disk, instance: 'two', sizes: others }),
        ])
        expect(bytesOf(disk)).toEqual(bytesOf(reference))
      }),
      { numRuns: 15 },
    ))

  test('close removes the unfinished window and commits nothing', async () => {
    const disk = new MemoryDisk(dir)
    const group = usersAt(log, 0)
    const worker = await group.open({ disk })
    await worker.take((log.users[0] ?? []).slice(0, 2))
    expect(partsOf(disk).length).toBeGreaterThan(0)
    await worker.close()
    await worker.close()
    expect(disk.contents.size).toBe(0)
    expect(group.commits).toEqual([])
  })

  test('a stop in the middle of a batch takes no further window', async () => {
    const disk = new MemoryDisk(dir)
    const group = usersAt(log, 0)
    const stopping = new AbortController()
    const worker = await group.open({
      disk,
      signal: stopping.signal,
      commit: async progress => {
        group.commits.push(progress)
        stopping.abort()
      },
    })
    await worker.take(log.users[0] ?? [])
    await worker.close()
    expect(group.commits.length).toBe(1)
    expect(partsOf(disk)).toEqual([])
  })
})

describe('a start that does not fit stops before anything is written', () => {
  const log = fixed()
  const started = async () => {
    const disk = new MemoryDisk(dir)
    const group = usersAt(log, 0)
    await group.live({ disk })
    return { disk, group, before: bytesOf(disk) }
  }
  const firstSidecar = (disk: MemoryDisk): string =>
    [...disk.contents.keys()].find(path => path.endsWith('.json')) as string

  test('without its folder', async () => {
    const opening = usersAt(log, 0).open({ disk: new MemoryDisk('/elsewhere') })
    await expect(opening).rejects.toMatchObject({ code: 'folder-missing', context: { path: dir } })
  })
  test('with another window length than was committed', async () => {
    const { disk, group } = await started()
    await expect(group.open({ disk, windowLengthMs: 2000 })).rejects.toMatchObject({ code: 'archive-window-length' })
  })
  test('with another window length than the folder’s', async () => {
    const { disk } = await started()
    const again = usersAt(log, 0).open({ disk, windowLengthMs: 2000 })
    await expect(again).rejects.toThrow(/holds windows of 1000 ms/)
  })
  test('with an offset that carries no hash', async () => {
    const { disk, group } = await started()
    const { note: _, ...bare } = group.progress
    group.progress = bare
    await expect(group.open({ disk })).rejects.toMatchObject({ code: 'archive-no-hash' })
  })
  test('with an offset inside a window', async () => {
    const { disk, group, before } = await started()
    const records = log.users[0] ?? []
    const middle = records.findIndex(
      ({ record }, i) => windowOf(record.pos, windowMs) === windowOf(records[i + 1]?.record.pos ?? 0n, windowMs),
    )
    const { offset, record } = records[middle] as ReadRecord<UserRecord>
    const sidecar = sidecarsOf(disk).find(({ window }) => window === windowOf(record.pos, windowMs))
    group.progress = {
      offset: offset + 1n,
      n: record.n,
      pos: record.pos,
      note: `1000:${sidecar?.hash ?? '0'.repeat(64)}`,
    }
    await expect(group.live({ disk })).rejects.toMatchObject({ code: 'archive-mid-window' })
    expect(bytesOf(disk)).toEqual(before)
  })
  test('in the folder of another log: its windows are not written over', async () => {
    const { disk, before } = await started()
    const other = (log.users[0] ?? []).map(read =>
      read.record.kind === 'UserOutput' ? { ...read, record: { ...read.record, time: 1n } } : read,
    )
    const group = usersAt({ ...log, users: [other, []] }, 0)
    await expect(group.live({ disk })).rejects.toMatchObject({ code: 'archive-conflict' })
    expect(bytesOf(disk)).toEqual(before)
  })
  test('when the folder’s window is not the one that was committed', async () => {
    const { disk, group } = await started()
    group.progress = { ...group.progress, note: `1000:${'a'.repeat(64)}` }
    await expect(group.open({ disk })).rejects.toMatchObject({ code: 'archive-conflict' })
  })
  test('over a sidecar of another stream', async () => {
    const { disk } = await started()
    const path = firstSidecar(disk)
    disk.overwrite(path, Buffer.from((disk.contents.get(path) as Buffer).toString().replace('"demo"', '"live"')))
    const before = bytesOf(disk)
    await expect(usersAt(log, 0).live({ disk })).rejects.toMatchObject({ code: 'archive-foreign' })
    expect(bytesOf(disk)).toEqual(before)
  })
  test('over a sidecar that is none', async () => {
    const { disk } = await started()
    disk.overwrite(firstSidecar(disk), Buffer.from('{"format": 1}'))
    await expect(usersAt(log, 0).live({ disk })).rejects.toMatchObject({ code: 'archive-format' })
  })
  test('a CSV without its sidecar is unfinished: it is made again', async () => {
    const { disk, before } = await started()
    const last = [...disk.contents.keys()].findLast(path => path.endsWith('.json')) as string
    await disk.remove(last)
    const { window } = parseArchiveFileName(last.slice(last.lastIndexOf('/') + 1)) ?? { window: 0n }
    const place = { stream: 'demo', topic: 'user.outputs', table: 'ledger', partition: 0, partitions: 2 } as const
    const ledger = [dir, ...archiveFolder(place), archiveFileName({ ...place, window })].join('/')
    disk.overwrite(ledger, Buffer.from('half'))
    await usersAt(log, 0).live({ disk })
    expect(bytesOf(disk)).toEqual(before)
  })
})
