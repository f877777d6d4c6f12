import { join } from 'node:path'
import { windowStart } from '../../schemas/archive/archive-name.ts'
import { archiveTables, type ArchiveTopic, type UserTable } from '../../schemas/archive/archive-tables.ts'
import type { ArchivedFile, Sidecar } from '../../schemas/archive/sidecar.ts'
import { ArchivedLog, fileOf } from './archived-log.ts'
import { digestOf } from './archive-files.ts'
import { type ExpectedFile, ExpectedFiles, expectedLines, headerLine } from './expected-files.ts'
import type { Finding, OnFinding } from './finding.ts'
import { firstDifference } from './first-difference.ts'
import { PartitionChain } from './partition-chain.ts'
import { type FileProblem, rowsOf } from './read-rows.ts'
import { type PartitionFolders, survey } from './survey.ts'

/** What was proved of one partition. */
type PartitionSummary = {
  readonly topic: ArchiveTopic
  readonly partition: number
  readonly partitions: number
  readonly windows: number
  readonly rows: bigint
  readonly bytes: bigint
  /** The last window that has rows; null when there is none. */
  readonly lastWindow: bigint | null
  /** Hash of that window: it stands for the whole chain. */
  readonly head: string | null
  /** Windows of the log, behind the last one here, that have rows for this partition. */
  readonly behind: number
}

export type ArchiveResult = {
  readonly stream: string
  readonly partitions: readonly PartitionSummary[]
  readonly findings: number
  /** The first of them. */
  readonly listed: readonly Finding[]
  /** Files that no window accounts for yet: what was being written when the archive stopped, or is now. */
  readonly unfinished: number
  /** pos before which every record of the log stands in every table; null when nothing is proved. */
  readonly wholeTo: bigint | null
}

export type Progress = { readonly windows: number; readonly of: number; readonly bytes: bigint }

const maxListed = 1000
/** Topics close a window one after the other: that one partition lacks the log's last is as it should be. */
const mayLack = 1

/**
 * Proves an archive whole by nothing but its own files. The log's part is held to itself: chain of windows, checksums,
 * every record's bytes and the engine's chain through all of them. Each file of `user.outputs` is then held, byte by
 * byte, to what that log calls for. Memory does not grow with the archive, but for one number per file.
 * @throws Stop `archive-unreadable`
 */
export const verifyArchive = async (options: {
  readonly dir: string
  readonly stream: string
  readonly onProgress: (progress: Progress) => void
}): Promise<ArchiveResult> => {
  const listed: Finding[] = []
  let findings = 0
  const onFinding = (finding: Finding): void => {
    findings++
    if (listed.length < maxListed) listed.push(finding)
  }
  const found = await survey(options.dir, options.stream, onFinding)
  const pass = new ArchivePass({ ...options, onFinding, log: found.log, users: found.users })
  const { partitions, unfinished, wholeTo } = await pass.run()
  return {
    ...{ stream: options.stream, partitions, findings, listed, wholeTo },
    unfinished: found.unfinished + unfinished,
  }
}

type Cursor = { readonly folders: PartitionFolders; readonly chain: PartitionChain; summary: PartitionSummary }

class ArchivePass {
  readonly #dir: string
  readonly #onFinding: OnFinding
  readonly #onProgress: (progress: Progress) => void
  readonly #log: Cursor
  readonly #users: readonly Cursor[]
  #found = 0
  #bytes = 0n
  #passed = 0
  #windowMs = 0
  /** The first window of the log that a partition lacks. */
  #lacking: bigint | null = null

  constructor(options: {
    readonly dir: string
    readonly onFinding: OnFinding
    readonly onProgress: (progress: Progress) => void
    readonly log: PartitionFolders
    readonly users: readonly PartitionFolders[]
  }) {
    const { dir } = options
    const onFinding = (finding: Finding): void => {
      this.#found++
      options.onFinding(finding)
    }
    this.#dir = dir
    this.#onFinding = onFinding
    this.#onProgress = options.onProgress
    const cursor = (folders: PartitionFolders): Cursor => ({
      folders,
      chain: new PartitionChain(dir, folders, onFinding),
      summary: {
        ...folders.partition,
        ...{ windows: 0, rows: 0n, bytes: 0n, lastWindow: null, head: null, behind: 0 },
      },
    })
    this.#log = cursor(options.log)
    this.#users = options.users.map(cursor)
  }

  async run(): Promise<Pick<ArchiveResult, 'partitions' | 'unfinished' | 'wholeTo'>> {
    const log = new ArchivedLog(this.#dir, this.#onFinding)
    while (this.#log.chain.next !== null) await this.#logWindow(log)
    // Windows that the log's archive has not come to: nothing but themselves to hold them to.
    for (const cursor of this.#users) while (cursor.chain.next !== null) await this.#alone(cursor)
    const all = [this.#log, ...this.#users]
    const unfinished = all.reduce((sum, { chain }) => sum + chain.finish(), 0)
    for (const { summary } of this.#users) this.#tellBehind(summary)
    return { partitions: all.map(({ summary }) => summary), unfinished, wholeTo: this.#wholeTo() }
  }

  async #logWindow(log: ArchivedLog): Promise<void> {
    const sidecar = await this.#take(this.#log)
    if (!sidecar) {
      log.lost()
      return
    }
    this.#windowMs = sidecar.windowMs
    const expected = new ExpectedFiles(this.#users.length)
    const before = this.#found
    for await (const { record } of log.records(sidecar)) if (this.#users.length > 0) expected.take(record)
    const isSound = this.#found === before
    for (const { bytes } of sidecar.files) this.#count(bytes)
    const files = expected.end()
    for (const [partition, cursor] of this.#users.entries()) {
      while ((cursor.chain.next ?? sidecar.window) < sidecar.window) await this.#extra(cursor)
      // What can't be read calls for nothing: its partitions are held to themselves.
      const called = !isSound ? null : (files.get(partition) ?? new Map<UserTable, ExpectedFile>())
      await this.#userWindow(cursor, sidecar, called)
    }
  }

  async #userWindow(
    cursor: Cursor,
    logWindow: Sidecar,
    called: ReadonlyMap<UserTable, ExpectedFile> | null,
  ): Promise<void> {
    const { chain } = cursor
    if (chain.next !== logWindow.window) {
      if (called && called.size > 0) this.#lacks(cursor, logWindow.window)
      return
    }
    const sidecar = await this.#take(cursor)
    if (!sidecar) return
    if (!called) return this.#filesAlone(sidecar)
    const tables = archiveTables['user.outputs'].filter(
      table => called.has(table) || sidecar.files.some(file => file.table === table),
    )
    for (const table of tables)
      await this.#compare({
        ...{ sidecar, logWindow, table },
        file: sidecar.files.find(each => each.table === table) ?? null,
        should: called.get(table) ?? null,
      })
  }

  /** A partition's window is missing: it was not archived yet, when none comes after it. */
  #lacks(cursor: Cursor, window: bigint): void {
    if (this.#lacking === null || window < this.#lacking) this.#lacking = window
    if (cursor.chain.next === null) {
      cursor.summary = { ...cursor.summary, behind: cursor.summary.behind + 1 }
      return
    }
    const { topic, partition, partitions } = cursor.summary
    this.#onFinding({
      kind: 'missing',
      file: join(this.#log.folders.partition.stream, topic),
      line: null,
      problem: `window ${window} of partition ${partition} of ${partitions} is not there, though the log has rows for it and later windows are there`,
    })
  }

  async #compare(options: {
    readonly sidecar: Sidecar
    readonly logWindow: Sidecar
    readonly table: UserTable
    readonly file: ArchivedFile | null
    readonly should: ExpectedFile | null
  }): Promise<void> {
    const { sidecar, table, file, should } = options
    const tell = (kind: 'changed' | 'missing' | 'foreign', problem: string, line: number | null = null): void =>
      this.#onFinding({ kind, file: fileOf(sidecar, table), line, problem })
    if (!should) return tell('foreign', `the log has no rows of ${table} for window ${sidecar.window}`)
    if (!file) return tell('missing', `the log has ${should.rows} rows for it, its sidecar does not name it`)
    const path = join(this.#dir, fileOf(sidecar, table))
    const is = await digestOf(path)
    if (!is) return tell('missing', 'the file is not there, its sidecar names it')
    this.#count(is.bytes)
    if (is.sha256 === should.sha256) {
      // Of a file that is right, what its sidecar says of it may be wrong.
      if (saying(file) !== saying(should))
        tell('changed', `its sidecar says ${saying(file)}; it is ${saying(should)}, as the log calls for`)
      return
    }
    const difference = await firstDifference(path, this.#text(options.logWindow, sidecar.partition, table))
    const first = difference ? `${difference.problem}; ` : ''
    const hashes = `its SHA-256 is ${is.sha256}, its sidecar says ${file.sha256}, the log calls for ${should.sha256}`
    tell('changed', `${first}${hashes}`, difference?.line ?? null)
  }

  /** A file of `user.outputs` as the log calls for it, made again. */
  async *#text(logWindow: Sidecar, partition: number, table: UserTable): AsyncGenerator<string> {
    yield headerLine(table)
    const log = new ArchivedLog(this.#dir, () => {})
    for await (const { record } of log.records(logWindow))
      for (const each of expectedLines(record, this.#users.length))
        if (each.partition === partition && each.table === table) yield each.line
  }

  /** A window between those of the log: it has rows of records that the log does not hold. */
  async #extra(cursor: Cursor): Promise<void> {
    const sidecar = await this.#alone(cursor)
    if (!sidecar) return
    const problem = `the log holds no record of window ${sidecar.window}`
    this.#onFinding({ kind: 'foreign', file: fileOf(sidecar, 'windows'), line: null, problem })
  }

  async #alone(cursor: Cursor): Promise<Sidecar | null> {
    const sidecar = await this.#take(cursor)
    if (sidecar) await this.#filesAlone(sidecar)
    return sidecar
  }

  async #filesAlone(sidecar: Sidecar): Promise<void> {
    for (const file of sidecar.files) {
      const name = fileOf(sidecar, file.table)
      const onProblem = (problem: FileProblem): void => this.#onFinding({ ...problem, file: name })
      for await (const _ of rowsOf({ path: join(this.#dir, name), sidecar, file, onProblem }));
      this.#count(file.bytes)
    }
  }

  async #take(cursor: Cursor): Promise<Sidecar | null> {
    const sidecar = await cursor.chain.take()
    this.#passed++
    this.#count(0n)
    if (!sidecar) return null
    const sum = (of: (file: ArchivedFile) => bigint): bigint => sidecar.files.reduce((all, file) => all + of(file), 0n)
    cursor.summary = {
      ...cursor.summary,
      windows: cursor.summary.windows + 1,
      rows: cursor.summary.rows + sum(({ rows }) => rows),
      bytes: cursor.summary.bytes + sum(({ bytes }) => bytes),
      lastWindow: sidecar.window,
      head: sidecar.hash,
    }
    return sidecar
  }

  #count(bytes: bigint): void {
    this.#bytes += bytes
    const of = [this.#log, ...this.#users].reduce((all, { folders }) => all + folders.windows.windows.length, 0)
    this.#onProgress({ windows: this.#passed, of, bytes: this.#bytes })
  }

  #tellBehind({ topic, partition, partitions, behind, lastWindow }: PartitionSummary): void {
    if (behind <= mayLack) return
    this.#onFinding({
      kind: 'missing',
      file: join(this.#log.folders.partition.stream, topic),
      line: null,
      problem:
        `partition ${partition} of ${partitions} ends ${lastWindow === null ? 'before its first window' : `with window ${lastWindow}`}, ` +
        `and the log has rows for it in ${behind} windows after that: they were not archived yet, or are gone`,
    })
  }

  #wholeTo(): bigint | null {
    const { lastWindow } = this.#log.summary
    if (lastWindow === null || this.#windowMs === 0) return null
    return windowStart(this.#lacking ?? lastWindow + 1n, this.#windowMs)
  }
}

const saying = ({
  rows,
  firstPos,
  lastPos,
  bytes,
  sha256,
}: Pick<ArchivedFile, 'rows' | 'firstPos' | 'lastPos' | 'bytes' | 'sha256'>): string =>
  `${rows} rows, pos ${firstPos} to ${lastPos}, ${bytes} bytes, SHA-256 ${sha256}`
