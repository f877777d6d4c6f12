import { type FileHandle, mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile, syncFolder } from './durable-files.ts'
import { JournalError } from './journal-error.ts'
import { encodeRecord, type JournalRecord, laterGroupFollows } from './journal-record.ts'
import {
  damageAt,
  encodeSegmentHeader,
  markRecord,
  readSegmentHeader,
  type ScanEnd,
  type Segment,
  scanSegment,
} from './segment.ts'

export type JournalSettings = {
  readonly folder: string
  /** A segment that has grown to this is followed by a new one; what is trimmed goes in whole segments. */
  readonly segmentBytes: number
  /** `group`: an append returns when its group is on disk. `none`: when the system has it; a power loss may take it. */
  readonly sync: 'group' | 'none'
}

/** What a restarted engine begins with. */
export type Recovered = {
  /** State at the beginning of the last segment; null when the journal is new. */
  readonly snapshot: string | null
  /** Bytes of a group that was never whole on disk, cut off. */
  readonly tornBytes: number
}

/**
 * The engine's memory: append-only segment files, each preceded by a snapshot of the state before its first record.
 * One writer. Records are durable when `append` returns, and only then may be published.
 */
export class Journal {
  readonly #settings: JournalSettings
  readonly #segments: Segment[]
  #file: FileHandle | null = null
  #bytes = 0
  #last: bigint
  #lastChain: Buffer

  private constructor(settings: JournalSettings, segments: Segment[], last: bigint, lastChain: Buffer) {
    this.#settings = settings
    this.#segments = segments
    this.#last = last
    this.#lastChain = lastChain
  }

  /**
   * Opens the journal of a folder, or begins one with `initialSnapshot`. Every record of the last segment is handed to
   * `redo`, in order. A torn tail is cut off.
   * @throws JournalError when a file is missing or damaged beyond what a crash can do.
   */
  static async open(
    settings: JournalSettings,
    { begin, restore, redo }: JournalOwner,
  ): Promise<{ readonly journal: Journal; readonly recovered: Recovered }> {
    await mkdir(settings.folder, { recursive: true })
    const segments = await readSegments(settings.folder)
    const lastSegment = segments.at(-1)
    if (!lastSegment) {
      const { snapshot, chain } = begin()
      const journal = new Journal(settings, [], 0n, chain)
      await journal.#beginSegment(snapshot)
      return { journal, recovered: { snapshot: null, tornBytes: 0 } }
    }
    const snapshot = await readFile(snapshotPath(settings.folder, lastSegment.first), 'utf8').catch(
      (cause: unknown) => {
        throw new JournalError(`${lastSegment.path} has no snapshot of the state before it`, { cause })
      },
    )
    restore(snapshot)
    let last = lastSegment.first - 1n
    let chain = lastSegment.chainBefore
    const end = await forEachRecord(lastSegment, record => {
      redo(record)
      last = record.index
      chain = Buffer.from(record.chain)
    })
    const tornBytes = await cutTail(lastSegment, end, last + 1n)
    const journal = new Journal(settings, segments, last, chain)
    await journal.#continueSegment(lastSegment)
    return { journal, recovered: { snapshot, tornBytes } }
  }

  /** Index of the last record; 0 when there is none. */
  get last(): bigint {
    return this.#last
  }
  get lastChain(): Buffer {
    return this.#lastChain
  }
  /** Index of the oldest record kept; one beyond the last when there is none. */
  get first(): bigint {
    return this.#oldest().first
  }
  /** The chain before the oldest record kept. */
  get chainBeforeFirst(): Buffer {
    return this.#oldest().chainBefore
  }

  /** Appends records as one group. On an error the journal must not be used any more: what is on disk is unknown. */
  async append(records: readonly JournalRecord[]): Promise<void> {
    const file = this.#file
    const segment = this.#segments.at(-1)
    if (!file || !segment) throw new JournalError('the journal is closed')
    const encoded: Buffer[] = []
    const group = this.#last + 1n
    for (const record of records) {
      if (record.index !== this.#last + 1n)
        throw new JournalError(`output ${record.index} does not follow ${this.#last}`)
      const bytes = encodeRecord(record, group)
      markRecord(segment, record.index, this.#bytes)
      encoded.push(bytes)
      this.#bytes += bytes.length
      this.#last = record.index
      this.#lastChain = record.chain
    }
    await file.appendFile(Buffer.concat(encoded))
    if (this.#settings.sync === 'group') await file.datasync()
  }

  /** True when the next append should go to a new segment. */
  get isSegmentFull(): boolean {
    return this.#bytes >= this.#settings.segmentBytes
  }

  /** Begins a new segment; `snapshot` is the state after the last record appended. */
  async rotate(snapshot: string): Promise<void> {
    await this.#file?.datasync()
    await this.#beginSegment(snapshot)
  }

  /**
   * Records `from` … `to`, both included, in groups; `to` must have been appended. Ends early when what comes next has
   * been trimmed.
   * @throws JournalError when a file is damaged.
   */
  async *read(from: bigint, to: bigint): AsyncGenerator<readonly JournalRecord[], void, undefined> {
    let next = from
    while (next <= to) {
      const segment = this.#segments.findLast(known => known.first <= next)
      if (!segment) return
      const isTrimmed = (): boolean => !this.#segments.includes(segment)
      // Also a reader that goes away in the middle leaves no file open.
      await using scan = scanSegment(segment, next)
      for (;;) {
        const step = await scan.next().catch((error: unknown) => {
          if (isTrimmed()) return null
          throw error
        })
        if (!step) return
        if (step.done) {
          const isAtEnd = this.#segments.some(known => known.first === next) || isTrimmed()
          if (step.value.kind === 'broken' || !isAtEnd) throw damageAt(segment, asBroken(step.value))
          break
        }
        const group = step.value.filter(record => record.index <= to)
        if (group.length > 0) yield group
        next += BigInt(group.length)
        if (next > to) break
      }
    }
  }

  /** Drops whole segments of records up to `index`, never the last segment. Returns how many were dropped. */
  async trim(index: bigint): Promise<number> {
    const kept = Math.max(
      0,
      this.#segments.findLastIndex(({ first }) => first <= index + 1n),
    )
    // First out of sight, at once, then off the disk.
    const gone = this.#segments.splice(0, kept)
    for (const { path } of gone) await rm(path, { force: true })
    if (gone.length > 0) await syncFolder(this.#settings.folder)
    return gone.length
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.sync()
    await file?.close()
  }

  #oldest(): Segment {
    const [oldest] = this.#segments
    if (!oldest) throw new JournalError('the journal has no segment')
    return oldest
  }

  /** The snapshot is durable before the segment exists: a segment without one can't happen. */
  async #beginSegment(snapshot: string): Promise<void> {
    const { folder } = this.#settings
    const first = this.#last + 1n
    const before = this.#segments.at(-1)
    await replaceFile(snapshotPath(folder, first), snapshot)
    const segment: Segment = { path: segmentPath(folder, first), first, chainBefore: this.#lastChain, marks: [] }
    await this.#file?.close()
    this.#file = null
    await replaceFile(segment.path, encodeSegmentHeader(segment))
    this.#segments.push(segment)
    await this.#continueSegment(segment)
    if (before) await rm(snapshotPath(folder, before.first), { force: true })
  }

  async #continueSegment(segment: Segment): Promise<void> {
    this.#file = await open(segment.path, 'a')
    this.#bytes = (await this.#file.stat()).size
  }
}

/** Who keeps the state that the journal remembers. */
export type JournalOwner = {
  /** The state before the first record, and the chain there. */
  readonly begin: () => { readonly snapshot: string; readonly chain: Buffer }
  readonly restore: (snapshot: string) => void
  readonly redo: (record: JournalRecord) => void
}

const name = (first: bigint): string => first.toString().padStart(20, '0')
const segmentPath = (folder: string, first: bigint): string => join(folder, `${name(first)}.journal`)
const snapshotPath = (folder: string, first: bigint): string => join(folder, `${name(first)}.snapshot`)

const readSegments = async (folder: string): Promise<Segment[]> => {
  const paths = (await readdir(folder)).filter(file => /^\d{20}\.journal$/.test(file)).sort()
  const segments: Segment[] = []
  for (const path of paths) {
    const segment = await readSegmentHeader(join(folder, path))
    if (!segment || name(segment.first) !== path.slice(0, 20))
      throw new JournalError(`${join(folder, path)} does not begin with the header of that segment`)
    segments.push(segment)
  }
  return segments
}

const forEachRecord = async (segment: Segment, take: (record: JournalRecord) => void): Promise<ScanEnd> => {
  await using scan = scanSegment(segment, segment.first)
  for (;;) {
    const step = await scan.next()
    if (step.done) return step.value
    for (const record of step.value) take(record)
  }
}

/** Cuts off what a crash left of the last group; what is damaged otherwise is not ours to cut. */
const cutTail = async (segment: Segment, end: ScanEnd, index: bigint): Promise<number> => {
  if (end.kind === 'clean') return 0
  const tail = (await readFile(segment.path)).subarray(end.offset)
  if (laterGroupFollows(tail, index))
    throw new JournalError(
      `${damageAt(segment, end).message}, but later outputs stand behind it: that is no torn tail, and cutting it would ` +
        'lose outputs that were published. Restore the file from a copy',
    )
  await truncate(segment.path, end.offset)
  return tail.length
}

const asBroken = (end: ScanEnd): ScanEnd & { kind: 'broken' } =>
  end.kind === 'broken' ? end : { ...end, kind: 'broken', reason: 'the records that belong here are missing' }
