import { windowOf, windowStart } from '../../schemas/archive/archive-name.ts'
import type { ArchiveTable } from '../../schemas/archive/archive-tables.ts'
import type { Clock } from '../../runtime/clock.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import type { PartitionWorker, ReadRecord } from '../../runtime/reader/reader.ts'
import { refuse } from '../../runtime/stop.ts'
import { ArchiveFolder, type ArchiveFolderOptions } from './archive-folder.ts'
import type { PartitionGauge } from './archive-metrics.ts'
import { formatNote } from './archive-note.ts'
import { checkFolder, hashBefore, nameOf, wayBack } from './archive-start.ts'
import { limits } from './limits.ts'
import { type ArchivedRow, WindowWriter } from './window-writer.ts'

/** What differs between the two topics. */
export type ArchiveSource<R> = {
  readonly place: (record: R) => { readonly n: bigint; readonly pos: Progress['pos'] }
  /** The rows of a record, in the order of their files. */
  readonly rows: (read: ReadRecord<R>, partition: number) => readonly ArchivedRow[]
  readonly columns: (table: ArchiveTable) => readonly string[]
}

export type PartitionArchiveOptions<R> = {
  readonly source: ArchiveSource<R>
  readonly folder: ArchiveFolderOptions
  readonly windowMs: number
  readonly clock: Clock
  readonly log: Log
  readonly gauge: PartitionGauge
  readonly start: Progress
  readonly commit: (progress: Progress) => Promise<void>
  readonly signal: AbortSignal
}

type Span = { readonly first: Progress; readonly last: Progress }
type OpenWindow = { readonly writer: WindowWriter; readonly span: Span }

/** Writes one partition's windows, each final before the offset after its last record is committed. */
export class PartitionArchive<R> implements PartitionWorker<R> {
  readonly #options: PartitionArchiveOptions<R>
  readonly #folder: ArchiveFolder
  #before: string
  #current: OpenWindow | null = null

  private constructor(options: PartitionArchiveOptions<R>, folder: ArchiveFolder, before: string) {
    this.#options = options
    this.#folder = folder
    this.#before = before
  }

  /** @throws Stop when the committed offset or the folder is of another log, stream or window length */
  static async open<R>(options: PartitionArchiveOptions<R>): Promise<PartitionArchive<R>> {
    const { start, windowMs, log } = options
    const before = hashBefore(start, windowMs, options.folder.partition)
    const { folder, removed, foreign } = await ArchiveFolder.open(options.folder)
    if (removed > 0) log.info({ removed }, 'removed the unfinished files of this instance before its last end')
    if (foreign > 0) log.warn({ foreign }, 'unfinished files of other instances lie here; they are left alone')
    await checkFolder({ folder, start, before, windowMs, dir: options.folder.dir })
    return new PartitionArchive(options, folder, before)
  }

  async take(records: readonly ReadRecord<R>[]): Promise<void> {
    const { windowMs, source, signal } = this.#options
    for (const [window, ofWindow] of inWindows(records, record => windowOf(source.place(record).pos, windowMs))) {
      if (signal.aborted) return
      if (this.#current && this.#current.writer.window !== window) await this.#finish(this.#current)
      if (!this.#current) this.#checkEdge(window)
      await this.#append(window, ofWindow)
    }
  }

  async #append(window: bigint, records: readonly ReadRecord<R>[]): Promise<void> {
    const { source, folder, gauge } = this.#options
    const first = this.#progressAfter(records[0] as ReadRecord<R>)
    const last = this.#progressAfter(records.at(-1) as ReadRecord<R>)
    const writer = this.#current?.writer ?? new WindowWriter({ window, folder: this.#folder, columns: source.columns })
    this.#current = { writer, span: { first: this.#current?.span.first ?? first, last } }
    const rows = records.flatMap(record => source.rows(record, folder.partition.partition))
    await writer.append(rows)
    gauge.took({ records: records.length, rows, pos: last.pos })
  }

  async #finish({ writer, span: { first, last } }: OpenWindow): Promise<void> {
    const { folder, windowMs, gauge, log } = this.#options
    const before = this.#before
    const hash = await writer.seal({
      partition: folder.partition,
      windowMs,
      before,
      read: { firstOffset: first.offset - 1n, lastOffset: last.offset - 1n, firstN: first.n, lastN: last.n },
    })
    this.#before = hash
    this.#current = null
    // Just after the window's last record, not the one that closed it: that one is the next window's first.
    await this.#commit({ ...last, note: formatNote({ windowMs, hash }) })
    gauge.sealed(last.pos)
    log.debug({ window: writer.window, pos: last.pos, empty: hash === before }, 'window archived')
  }

  async #commit(progress: Progress): Promise<void> {
    const { commit, clock, log, signal } = this.#options
    for (let attempt = 1; ; attempt++) {
      try {
        await commit(progress)
        return
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable') throw error
        if (attempt >= limits.commitAttempts || signal.aborted) throw error
        log.warn({ err: error, attempt }, 'commit failed; asking again')
        await clock.sleep(limits.commitRetryMs, signal)
      }
    }
  }

  #progressAfter({ offset, record }: ReadRecord<R>): Progress {
    return { offset: offset + 1n, ...this.#options.source.place(record) }
  }

  /** A window that is read from its middle would replace the whole one by a part of it. */
  #checkEdge(window: bigint): void {
    const { start, windowMs, folder } = this.#options
    if (start.pos === 0n || window > windowOf(start.pos, windowMs)) return
    throw refuse(
      'archive-mid-window',
      `${nameOf(folder.partition)}: the committed offset ${start.offset} (pos ${start.pos}) is inside window ${window}, which ends at pos ${windowStart(window + 1n, windowMs)}: the archive goes on only at a window's edge. ${wayBack(folder.partition)}`,
      { offset: start.offset, pos: start.pos, window },
    )
  }

  async close(): Promise<void> {
    const unfinished = this.#current
    this.#current = null
    this.#options.gauge.released()
    try {
      await unfinished?.writer.discard()
    } catch (error) {
      // Only parts are left behind: this instance removes them when it starts again.
      this.#options.log.warn({ err: error }, 'could not remove the unfinished files')
    }
  }
}

/** Runs of records of one window, in order. */
function* inWindows<R>(
  records: readonly ReadRecord<R>[],
  windowOfRecord: (record: R) => bigint,
): Generator<readonly [bigint, readonly ReadRecord<R>[]]> {
  let run: ReadRecord<R>[] = []
  let window = -1n
  for (const read of records) {
    const own = windowOfRecord(read.record)
    if (own !== window && run.length > 0) {
      yield [window, run]
      run = []
    }
    window = own
    run.push(read)
  }
  if (run.length > 0) yield [window, run]
}
