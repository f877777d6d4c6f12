import type { Progress } from '../../../runtime/reader/progress.ts'
import { pos } from '../../../core/ids.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { openLog } from '../../../runtime/log.ts'
import type { ReadRecord } from '../../../runtime/reader/reader.ts'
import type { ArchivePartition } from '../../../schemas/archive/archive-name.ts'
import type { PartitionGauge } from '../archive-metrics.ts'
import { type ArchiveSource, PartitionArchive } from '../partition-archive.ts'
import { windowMs } from './archive-log.ts'
import type { MemoryDisk } from './memory-disk.ts'

export const quietLog = openLog({ service: 'archive', stream: 'demo', level: 'silent' })
export const dir = '/archive'
const quietGauge: PartitionGauge = { took: () => {}, sealed: () => {}, released: () => {} }
export const stillClock: Clock = { nowUs: () => 0n, monotonicMs: () => 0, sleep: () => Promise.resolve() }

/** One partition's committed offset, and lives of owners that archive it. */
export class ArchiveGroup<R> {
  readonly source: ArchiveSource<R>
  readonly records: readonly ReadRecord<R>[]
  readonly partition: ArchivePartition
  progress: Progress = { offset: 0n, n: 0n, pos: pos(0n) }
  readonly commits: Progress[] = []
  #randoms = 0

  constructor(options: {
    readonly source: ArchiveSource<R>
    readonly records: readonly ReadRecord<R>[]
    readonly partition: ArchivePartition
  }) {
    this.source = options.source
    this.records = options.records
    this.partition = options.partition
  }

  open({
    disk,
    instance = 'one',
    windowLengthMs = windowMs,
    commit = progress => this.#commit(disk, progress),
    signal = new AbortController().signal,
  }: {
    readonly disk: MemoryDisk
    readonly instance?: string
    readonly windowLengthMs?: number
    readonly commit?: (progress: Progress) => Promise<void>
    readonly signal?: AbortSignal
  }): Promise<PartitionArchive<R>> {
    return PartitionArchive.open({
      source: this.source,
      folder: {
        files: disk,
        dir,
        instance,
        random: () => (++this.#randoms).toString(16).padStart(12, '0'),
        partition: this.partition,
      },
      windowMs: windowLengthMs,
      clock: stillClock,
      log: quietLog,
      gauge: quietGauge,
      start: this.progress,
      commit,
      signal,
    })
  }

  /** One owner from the committed offset to the end of the log, in batches of these sizes, over and over. */
  async live({
    disk,
    instance = 'one',
    sizes = [7],
  }: {
    readonly disk: MemoryDisk
    readonly instance?: string
    readonly sizes?: readonly number[]
  }): Promise<void> {
    const left = this.records.filter(({ offset }) => offset >= this.progress.offset)
    const worker = await this.open({ disk, instance })
    try {
      for (let at = 0, turn = 0; at < left.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1
        await worker.take(left.slice(at, at + size))
        at += size
      }
    } finally {
      await worker.close()
    }
  }

  /** The owner may die just before its commit is known to Kafka, or just after. */
  async #commit(disk: MemoryDisk, progress: Progress): Promise<void> {
    await disk.read('commit')
    this.progress = progress
    this.commits.push(progress)
    await disk.read('committed')
  }
}
