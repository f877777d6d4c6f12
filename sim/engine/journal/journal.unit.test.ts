import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nextChain, zeroChain } from '../../../schemas/chain.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { Journal, type JournalSettings, type Recovered } from './journal.ts'
import { type JournalRecord, maxRecordBytes, scanRecord } from './journal-record.ts'

const settingsOf = (folder: string): JournalSettings => ({
  ...{ folder, segmentBytes: 1_000, sync: 'group' },
})

type Opened = {
  readonly journal: Journal
  readonly recovered: Recovered
  /** What the state would be: the snapshot and the indexes redone after it. */
  readonly restored: string | null
  readonly redone: readonly bigint[]
}

const openJournal = async (settings: JournalSettings): Promise<Opened> => {
  let restored: string | null = null
  const redone: bigint[] = []
  const { journal, recovered } = await Journal.open(settings, {
    begin: () => ({ snapshot: 'empty', chain: zeroChain }),
    restore: snapshot => void (restored = snapshot),
    redo: ({ index }) => void redone.push(index),
  })
  onTestFinished(() => journal.close())
  return { journal, recovered, restored, redone }
}

const recordsAfter = ({ last, lastChain }: Journal, count: number): JournalRecord[] => {
  let chain = lastChain
  return Array.from({ length: count }, (_, i) => {
    const index = last + BigInt(i) + 1n
    const payload = Buffer.from(`payload ${index}`)
    chain = nextChain(chain, payload)
    return { index, payload, chain, step: `{"step":${index}}` }
  })
}

const write = async (journal: Journal, count: number): Promise<void> => {
  await journal.append(recordsAfter(journal, count))
  if (journal.isSegmentFull) await journal.rotate(`state after ${journal.last}`)
}

const readAll = async (journal: Journal, from = journal.first, to = journal.last): Promise<JournalRecord[]> => {
  const all: JournalRecord[] = []
  for await (const group of journal.read(from, to)) all.push(...group)
  return all
}

const files = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter(file => file.endsWith(ending))
    .sort()
    .map(file => join(folder, file))

/** Of this process. */
const openFiles = (folder: string): string[] =>
  readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(folder) ? [path] : []
    } catch {
      // The one that read this list.
      return []
    }
  })

describe('a journal', () => {
  it('begins empty and keeps what is appended', async () => {
    const { journal, recovered } = await openJournal(settingsOf(tempFolder()))
    expect([journal.first, journal.last, recovered.snapshot]).toEqual([1n, 0n, null])
    const records = recordsAfter(journal, 5)
    await journal.append(records)
    expect(await readAll(journal)).toEqual(records)
    expect(await readAll(journal, 2n, 3n)).toEqual(records.slice(1, 3))
  })

  it('reads any range across segments', async () => {
    const { journal } = await openJournal(settingsOf(tempFolder()))
    for (let i = 0; i < 20; i++) await write(journal, 7)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 140 }), fc.integer({ min: 0, max: 140 }), async (from, length) => {
        const to = Math.min(140, from + length)
        const indexes = (await readAll(journal, BigInt(from), BigInt(to))).map(({ index }) => Number(index))
        expect(indexes).toEqual(Array.from({ length: to - from + 1 }, (_, i) => from + i))
      }),
      { numRuns: 50 },
    )
  })

  it('leaves no file open when a reader goes away in the middle', async () => {
    const { folder, ...settings } = settingsOf(tempFolder())
    const { journal } = await openJournal({ folder, ...settings })
    for (let i = 0; i < 4; i++) await write(journal, 7)
    const before = openFiles(folder)
    for await (const group of journal.read(journal.first, journal.last)) {
      expect(group.length).toBeGreaterThan(0)
      expect(openFiles(folder).length).toBe(before.length + 1)
      break
    }
    expect(openFiles(folder)).toEqual(before)
  })

  it('finds its place by marks in a large segment', async () => {
    const { journal } = await openJournal({ ...settingsOf(tempFolder()), segmentBytes: 2 ** 30 })
    for (let i = 0; i < 10; i++) await write(journal, 1_000)
    const [first] = await readAll(journal, 9_999n)
    expect([first?.index, first?.payload.toString()]).toEqual([9_999n, 'payload 9999'])
  })

  it('restores the last snapshot and what came after it', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    for (let i = 0; i < 10; i++) await write(journal, 3)
    await journal.close()
    const again = await openJournal(settings)
    expect(again.restored).toMatch(/^state after \d+$/)
    const snapshotAt = BigInt(again.restored?.replace(/\D/g, '') ?? 0)
    expect(again.redone).toEqual(
      Array.from({ length: Number(30n - snapshotAt) }, (_, i) => snapshotAt + BigInt(i) + 1n),
    )
    expect([again.journal.last, again.journal.lastChain]).toEqual([30n, journal.lastChain])
    expect(files(settings.folder, '.snapshot')).toHaveLength(1)
    await write(again.journal, 3)
    expect(await readAll(again.journal)).toHaveLength(33)
  })

  it('cuts off a tail torn at any byte, and no more', async () => {
    const settings = { ...settingsOf(tempFolder()), segmentBytes: 2 ** 30 }
    const { journal } = await openJournal(settings)
    await write(journal, 4)
    const [path = ''] = files(settings.folder, '.journal')
    const durable = statSync(path).size
    await write(journal, 3)
    await journal.close()
    const whole = readFileSync(path)
    const lengths = [durable]
    for (let at = durable; at < whole.length; ) {
      const scanned = scanRecord(whole, at)
      if (scanned.kind !== 'record') throw new Error(scanned.kind)
      lengths.push((at += scanned.bytes))
    }
    for (let size = durable; size <= whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      const again = await openJournal(settings)
      const kept = lengths.filter(length => length <= size).length - 1
      expect(again.journal.last).toBe(BigInt(4 + kept))
      expect(again.recovered.tornBytes).toBe(size - (lengths[kept] ?? 0))
      await write(again.journal, 1)
      expect((await readAll(again.journal)).at(-1)?.payload.toString()).toBe(`payload ${5 + kept}`)
      await again.journal.close()
    }
  })

  it('cuts off a last group with garbage in it', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    await write(journal, 2)
    await journal.close()
    const [path = ''] = files(settings.folder, '.journal')
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(100, 7)]))
    const again = await openJournal(settings)
    expect([again.journal.last, again.recovered.tornBytes]).toEqual([2n, 100])
  })

  it('refuses to start when more is broken than a crash can break', async () => {
    const settings = { ...settingsOf(tempFolder()), segmentBytes: 2 ** 30 }
    const { journal } = await openJournal(settings)
    for (let i = 0; i < 9; i++) await write(journal, 3)
    const [path = ''] = files(settings.folder, '.journal')
    const lastGroup = statSync(path).size
    await write(journal, 3)
    await journal.close()
    const bytes = readFileSync(path)
    // In the last group a break may be a crash; anywhere before, it is damage.
    for (let at = 60; at < bytes.length; at += 37) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      writeFileSync(path, damaged)
      const opening = openJournal(settings)
      if (at < lastGroup) await expect(opening).rejects.toThrow(/damaged at byte \d+: .* later outputs stand behind it/)
      else expect((await opening).journal.last).toBeGreaterThanOrEqual(27n)
    }
  })

  it('refuses a segment without its snapshot, or with a damaged header', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    await write(journal, 2)
    await journal.close()
    const [path = ''] = files(settings.folder, '.journal')
    const [snapshot = ''] = files(settings.folder, '.snapshot')
    const text = readFileSync(snapshot)
    writeFileSync(join(settings.folder, 'elsewhere'), text)
    truncateSync(path, 10)
    await expect(openJournal(settings)).rejects.toThrow('does not begin with the header')
  })

  it('tells a reader of an older segment that is damaged', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    for (let i = 0; i < 10; i++) await write(journal, 5)
    const [oldest = ''] = files(settings.folder, '.journal')
    truncateSync(oldest, statSync(oldest).size - 1)
    await expect(readAll(journal)).rejects.toThrow('is damaged at byte')
  })

  it('trims whole segments up to an index, never the last one', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    for (let i = 0; i < 20; i++) await write(journal, 5)
    const before = files(settings.folder, '.journal').length
    expect(await journal.trim(0n)).toBe(0)
    await journal.trim(40n)
    expect(journal.first > 1n && journal.first <= 41n).toBe(true)
    const [oldest] = await readAll(journal)
    expect(oldest?.chain).toEqual(nextChain(journal.chainBeforeFirst, oldest?.payload ?? zeroChain))
    await journal.trim(journal.last)
    expect(files(settings.folder, '.journal')).toHaveLength(1)
    expect(before).toBeGreaterThan(3)
    expect(await readAll(journal, 1n, 5n)).toEqual([])
    await journal.close()
    expect((await openJournal(settings)).journal.last).toBe(100n)
  })

  it('ends early for a reader whose next segments are trimmed, wherever the trim meets it', async () => {
    const settings = settingsOf(tempFolder())
    const { journal } = await openJournal(settings)
    for (let i = 0; i < 20; i++) await write(journal, 5)
    const { last } = journal
    // Before it opened its file: the file is gone while the reader still sees the segment.
    const [oldest = ''] = files(settings.folder, '.journal')
    rmSync(oldest)
    const opening = journal.read(1n, last).next()
    await journal.trim(40n)
    expect(await opening).toEqual({ done: true, value: undefined })
    // In the middle of a segment, with all that followed it gone but the last.
    const middle = journal.read(journal.first, last)
    const first = await middle.next()
    await journal.trim(last)
    expect(first.done).toBe(false)
    expect(await middle.next()).toEqual({ done: true, value: undefined })
  })

  it('refuses records that do not follow', async () => {
    const { journal } = await openJournal(settingsOf(tempFolder()))
    const [, second] = recordsAfter(journal, 2)
    if (!second) throw new Error('no record')
    await expect(journal.append([second])).rejects.toThrow('output 2 does not follow 0')
  })
})

describe('a record', () => {
  it('is damaged when it says that it is longer than any may be', () => {
    const bytes = Buffer.alloc(100)
    bytes.writeUInt32BE(maxRecordBytes + 1)
    expect(scanRecord(bytes, 0)).toEqual({ kind: 'damaged', reason: `a record of ${maxRecordBytes + 1} bytes` })
  })
})
