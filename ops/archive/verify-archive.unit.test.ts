import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canMount } from '../../runtime/testing/can-mount.ts'
import { ArchiveOnDisk } from '../testing/archive-on-disk.ts'
import { runTold } from '../testing/run-told.ts'
import { SmallWorld } from '../testing/small-world.ts'

/** A whole archive of a small stream. */
const archiveIn = (folder: string): ArchiveOnDisk =>
  new ArchiveOnDisk(new SmallWorld({ dir: folder, last: 'ticks' }).archiveDir)

let dir: string
let disk: ArchiveOnDisk
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'settle-archive-'))
  disk = archiveIn(dir)
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

type Listed = { readonly kind: string; readonly file: string; readonly line: number | null; readonly problem: string }
type Result = {
  readonly whole: boolean
  readonly findings: number
  readonly unfinished: number
  readonly wholeTo: string
  readonly listed: readonly Listed[]
  readonly partitions: readonly {
    readonly topic: string
    readonly windows: number
    readonly head: string
    readonly behind: number
  }[]
}

const verified = async (...args: readonly string[]): Promise<Result & { readonly exitCode: number }> => {
  const { exitCode, out } = await runTold(['archive', 'verify', dir, '--json', ...args])
  return { exitCode, ...(JSON.parse(out) as Result) }
}
/** What was found, each as `kind file line: problem`. */
const found = async (): Promise<readonly string[]> => {
  const { exitCode, whole, listed } = await verified()
  expect([exitCode, whole]).toEqual(listed.length > 0 ? [1, false] : [0, true])
  return listed.map(({ kind, file, line, problem }) => `${kind} ${basename(file)} ${line ?? '-'}: ${problem}`)
}

test('a whole folder: exit 0, each partition with its head', async () => {
  const { exitCode, findings, partitions, wholeTo } = await verified()
  expect([exitCode, findings]).toEqual([0, 0])
  expect(partitions.map(({ topic, windows }) => `${topic} ${windows}`)).toEqual([
    ...['engine.outputs 5', 'user.outputs 3', 'user.outputs 2', 'user.outputs 3'],
  ])
  for (const { head } of partitions) expect(head).toMatch(/^[0-9a-f]{64}$/)
  expect(wholeTo).toBe('1700000005000000')
  const told = await runTold(['archive', 'verify', dir])
  expect(told).toMatchObject({ exitCode: 0, err: '' })
  expect(told.out.split('\n').at(-1)).toBe('archive of demo: whole up to 2023-11-14T22:13:25.000000Z')
})

test('a wrong one ends with 1, says what, where, and the way out', async () => {
  disk.edit(disk.first('ledger'), text => text.replace('Deposit', 'Release'))
  const { exitCode, out } = await runTold(['archive', 'verify', dir])
  expect(exitCode).toBe(1)
  expect(out).toMatch(/ledger\.0\d-of-3\.\d+\.csv line 2: expected "[^"]*Deposit[^"]*", found "[^"]*Release[^"]*"/)
  expect(out).toContain('way out: take it from another copy of this archive')
  expect(out).toMatch(/archive of demo: NOT whole, 1 thing is wrong$/)
})

describe('a tampered byte', () => {
  /** The last digit of the last line. */
  const tamper = (text: string): string => text.replace(/(\d)(?=\D*\r\n$)/, digit => `${(Number(digit) + 1) % 10}`)

  test.each(['trades', 'orders', 'ledger', 'reference'])(
    'of %s: its line, with what the log calls for',
    async table => {
      const path = disk.first(table)
      disk.edit(path, tamper)
      const [finding, ...more] = await found()
      expect(more).toEqual([])
      expect(finding).toMatch(
        /^changed .*\.csv \d+: expected ".*", found ".*"; its SHA-256 is .*, its sidecar says .*, the log calls for/,
      )
      expect(finding).toContain(basename(path))
    },
  )

  test('of outputs: its line, and its partitions are held to themselves', async () => {
    // The last character of a record is of the engine's payload, or of the operator's words.
    disk.edit(disk.first('outputs'), text => text.replace(/[a-z](?=[^a-z]*\r\n$)/, 'Q'))
    const all = await found()
    expect(all.join('\n')).toMatch(/(changed|log) demo\.engine\.outputs\.outputs.* 9: /)
    expect(all.join('\n')).toContain('its SHA-256 is')
    expect(all.every(each => each.includes('engine.outputs'))).toBe(true)
  })

  test('that a forger sealed again, is found by the log', async () => {
    disk.edit(disk.first('ledger'), tamper)
    disk.reseal(disk.files('windows').find(each => each.includes('user.outputs')) as string)
    expect((await found()).join('\n')).toMatch(/changed demo\.user\.outputs\.ledger.* \d+: expected ".*", found ".*"/)
  })

  test('of the log, sealed again, is found by the engine’s chain', async () => {
    const path = disk.files('outputs')[1] as string
    disk.edit(path, text => text.split('\r\n').toSpliced(3, 1).join('\r\n'))
    disk.reseal(disk.first('windows'))
    expect((await found()).join('\n')).toMatch(
      /log demo\.engine\.outputs\.outputs.* 4: .*outputs are missing or doubled/,
    )
  })

  test('of a sidecar', async () => {
    disk.edit(disk.first('windows'), text => text.replace(/"rows": "\d+"/, '"rows": "99"'))
    const all = (await found()).join('\n')
    expect(all).toMatch(/changed demo\.engine\.outputs\.windows.* -: its hash is .*, its content gives/)
    expect(all).toContain('its sidecar says 99')
  })

  test('that is no UTF-8', async () => {
    disk.edit(disk.first('reference'), text => text.replace('BTC', 'B\xffC'))
    expect((await found()).join('\n')).toMatch(/changed demo\.user\.outputs\.reference.* 2: expected/)
  })
})

describe('what is missing', () => {
  const logWindows = (): readonly string[] => disk.files('windows').filter(each => each.includes('engine.outputs'))
  const logFiles = (): readonly string[] => disk.files('outputs')
  const userWindows = (): readonly string[] => disk.files('windows').filter(each => each.includes('02-of-3'))

  test('a window of the log, first or in the middle', async () => {
    for (const at of [0, 2]) {
      unlinkSync(logWindows()[at] as string)
      unlinkSync(logFiles()[at] as string)
      const all = (await found()).join('\n')
      expect(all).toMatch(
        /chain demo\.engine\.outputs\.windows.* -: it follows a window of hash .*a window is missing or foreign/,
      )
      rmSync(dir, { recursive: true })
      archiveIn(dir)
    }
  })

  test('a window of a partition, with its files', async () => {
    const [, path] = userWindows()
    const window = /\.(\d{13})\.json$/.exec(path as string)?.[1] as string
    for (const table of ['trades', 'orders', 'ledger', 'windows'])
      for (const each of disk.files(table).filter(name => name.includes('02-of-3') && name.includes(window)))
        unlinkSync(each)
    const all = (await found()).join('\n')
    expect(all).toContain(`window ${BigInt(window)} of partition 2 of 3 is not there, though the log has rows for it`)
    expect(all).toMatch(/chain .*a window is missing or foreign/)
  })

  test('the end of a partition: its last window may not be archived yet, more than one may not be missing', async () => {
    const drop = (path: string): void => {
      const window = /\.\d{13}\./.exec(path)?.[0] as string
      for (const table of ['trades', 'orders', 'ledger', 'reference', 'windows'])
        for (const each of disk.files(table).filter(name => name.includes('02-of-3') && name.includes(window)))
          unlinkSync(each)
    }
    const all = userWindows()
    drop(all[2] as string)
    const one = await verified()
    expect([one.exitCode, one.partitions[3]?.behind, one.wholeTo]).toEqual([0, 1, '1700000002000000'])
    drop(all[1] as string)
    expect((await found()).join('\n')).toContain(
      'partition 2 of 3 ends with window 1700000000, and the log has rows for it in 2 windows after that',
    )
  })

  test('a whole partition', async () => {
    for (const table of ['trades', 'orders', 'ledger', 'windows'])
      rmSync(join(dir, 'demo', 'user.outputs', table, '01-of-3'), { recursive: true, force: true })
    expect((await found()).join('\n')).toContain('partition 1 of 3 ends before its first window')
  })

  test('a sidecar, though its files are there', async () => {
    unlinkSync(logWindows()[1] as string)
    expect((await found()).join('\n')).toMatch(/missing demo\.engine\.outputs\.outputs.* -: no sidecar names it/)
  })

  test('the last sidecar: its files are unfinished, and the log ends before', async () => {
    unlinkSync(logWindows().at(-1) as string)
    const { exitCode, unfinished, wholeTo } = await verified()
    expect([exitCode, unfinished, wholeTo]).toEqual([0, 1, '1700000004000000'])
  })

  test('a file that a sidecar names', async () => {
    unlinkSync(disk.first('trades'))
    expect(await found()).toEqual([
      expect.stringMatching(/^missing .*trades.* -: the file is not there, its sidecar names it/),
    ])
    unlinkSync(disk.first('outputs'))
    expect((await found()).join('\n')).toMatch(/missing demo\.engine\.outputs\.outputs.* the file is not there/)
  })

  test('the end of a file', async () => {
    for (const table of ['outputs', 'ledger']) {
      disk.edit(disk.files(table)[1] as string, text => text.slice(0, -30))
      expect((await found()).join('\n')).toMatch(new RegExp(`changed demo\\.[a-z.]+\\.${table}.* \\d+: `))
    }
  })

  test('a topic', async () => {
    rmSync(join(dir, 'demo', 'engine.outputs'), { recursive: true })
    expect(await found()).toEqual(['missing engine.outputs -: the folder of engine.outputs is not there'])
  })
})

describe('what does not belong there', () => {
  test('a sidecar of another stream', async () => {
    const path = disk.files('windows')[1] as string
    disk.editSidecar(path, sidecar => ({ ...sidecar, stream: 'other' }))
    expect((await found()).join('\n')).toMatch(
      /foreign demo.*windows.* it says that it is other\.engine\.outputs\.windows/,
    )
  })

  test('files and folders of other names', async () => {
    appendFileSync(join(dirname(disk.first('trades')), 'stray.csv'), 'x')
    mkdirSync(join(dir, 'demo', 'notes'))
    writeFileSync(join(dir, 'demo', 'user.outputs', 'README'), 'x')
    expect((await found()).map(each => each.replace(/:.*/, ''))).toEqual([
      ...['foreign notes -', 'foreign README -', 'foreign stray.csv -'],
    ])
  })

  test('a part is unfinished, not foreign', async () => {
    appendFileSync(`${disk.first('trades')}.one-12ab.part`, 'x')
    const { exitCode, unfinished } = await verified()
    expect([exitCode, unfinished]).toEqual([0, 1])
  })

  test('a file of a right name that no sidecar names', async () => {
    const path = disk.first('trades')
    cpSync(path, join(dirname(path), basename(path).replace(/\d{13}/, '0000000000001')))
    expect(await found()).toEqual([expect.stringMatching(/^missing .*0000000000001\.csv -: no sidecar names it/)])
  })

  test('partitions of another number', async () => {
    cpSync(join(dir, 'demo/user.outputs/ledger/00-of-3'), join(dir, 'demo/user.outputs/ledger/00-of-5'), {
      recursive: true,
    })
    expect(await found()).toEqual([expect.stringContaining("it is of 5 partitions, the archive's others of 3")])
  })

  test('all partitions under another number: the users are in others', async () => {
    for (const table of ['trades', 'orders', 'ledger', 'reference', 'windows'])
      for (const p of ['00', '01', '02'])
        try {
          renameSync(
            join(dir, `demo/user.outputs/${table}/${p}-of-3`),
            join(dir, `demo/user.outputs/${table}/${p}-of-4`),
          )
        } catch {
          // Not every table has every partition.
        }
    expect((await found()).length).toBeGreaterThan(3)
  })
})

describe('which folder', () => {
  test('one that is not there, or holds no archive: exit 2', async () => {
    const gone = await runTold(['archive', 'verify', join(dir, 'gone')])
    expect(gone.exitCode).toBe(2)
    expect(gone.err).toMatch(/gone can't be read: .*give the folder that the archive calls ARCHIVE_DIR/)
    const wrong = await runTold(['archive', 'verify', join(dir, 'demo', 'user.outputs', 'trades')])
    expect([wrong.exitCode, wrong.err]).toEqual([2, expect.stringContaining('holds no archive')])
    const other = await runTold(['archive', 'verify', dir, '--stream', 'other'])
    expect([other.exitCode, other.err]).toEqual([2, expect.stringContaining('here: demo')])
  })

  test('several streams: exit 2 unless it is said which', async () => {
    mkdirSync(join(dir, 'second'))
    const both = await runTold(['archive', 'verify', dir])
    expect([both.exitCode, both.err]).toEqual([2, expect.stringContaining('demo, second: say which with --stream')])
    expect((await verified('--stream', 'demo')).exitCode).toBe(0)
  })

  test.runIf(canMount)('a read-only one is proved as any other: nothing is written', async () => {
    const script = `mount --bind "${dir}" "${dir}" && mount -o remount,ro,bind "${dir}" && ! touch "${dir}/x" 2>/dev/null && exec "${process.execPath}" ops/main.ts archive verify "${dir}"`
    const out = execFileSync('/usr/bin/unshare', ['-m', 'sh', '-c', script], { encoding: 'utf8' })
    expect(out).toContain('archive of demo: whole')
  })
})
