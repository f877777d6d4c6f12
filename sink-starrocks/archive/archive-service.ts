import type { ArchiveTopic } from '../../schemas/archive/archive-tables.ts'
import type { FilesPort } from '../../runtime/files.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf } from '../../runtime/names.ts'
import { logNumbering, type Numbering, userNumbering } from '../../runtime/reader/numbering.ts'
import { Reader } from '../../runtime/reader/reader.ts'
import type { Service, ServiceContext } from '../../runtime/service.ts'
import { Stop } from '../../runtime/stop.ts'
import { ArchiveMetrics, type LoopState } from './archive-metrics.ts'
import { logSource, userSource } from './archive-sources.ts'
import { type ArchiveSource, PartitionArchive } from './partition-archive.ts'

export type ArchiveServiceOptions = ServiceContext & {
  readonly kafka: KafkaPort
  readonly files: FilesPort
  /** A new random word of lower-case hex at each call: tells apart the parts of two lives of one instance. */
  readonly random: () => string
  readonly stream: string
  /** P of `user.outputs`. */
  readonly partitions: number
  readonly dir: string
  readonly windowMs: number
  /** Names this instance's unfinished files: letters, digits, `_` and `-`. */
  readonly instance: string
}

/** Archives both topics as CSV windows, one reader each. */
export class ArchiveService implements Service {
  readonly #options: ArchiveServiceOptions
  readonly #metrics: ArchiveMetrics
  readonly #readers: readonly { run(signal: AbortSignal): Promise<void> }[]
  #state: LoopState = 'starting'

  constructor(options: ArchiveServiceOptions) {
    this.#options = options
    this.#metrics = new ArchiveMetrics(options.metrics, options.clock)
    const { topics, groups } = namesOf(options.stream)
    this.#readers = [
      this.#reader({
        topic: 'user.outputs',
        source: userSource,
        numbering: userNumbering,
        from: { topic: topics.users, group: groups.archive, partitions: options.partitions },
      }),
      this.#reader({
        topic: 'engine.outputs',
        source: logSource,
        numbering: logNumbering,
        from: { topic: topics.log, group: groups.archiveLog, partitions: 1 },
      }),
    ]
  }

  #reader<R>({
    topic,
    source,
    numbering,
    from,
  }: {
    readonly topic: ArchiveTopic
    readonly source: ArchiveSource<R>
    readonly numbering: Numbering<R>
    readonly from: { readonly topic: string; readonly group: string; readonly partitions: number }
  }): Reader<R> {
    const { kafka, clock, files, dir, instance, random, stream, windowMs } = this.#options
    const log = this.#options.log.child({ topic })
    return new Reader({
      ...from,
      kafka,
      clock,
      log,
      numbering,
      open: ({ partition, start, commit, signal }) =>
        PartitionArchive.open({
          source,
          folder: {
            files,
            dir,
            instance,
            random,
            partition: { stream, topic, partition, partitions: from.partitions },
          },
          windowMs,
          clock,
          log: log.child({ partition }),
          gauge: this.#metrics.partition(topic, partition, start.pos),
          start,
          commit,
          signal,
        }),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const failing = new AbortController()
    const either = AbortSignal.any([signal, failing.signal])
    const failures: unknown[] = []
    this.#enter('running')
    // One that can't go on ends the other, and both have drained before this one's reason is told.
    await Promise.all(
      this.#readers.map(reader =>
        reader.run(either).catch((error: unknown) => {
          failures.push(error)
          failing.abort()
        }),
      ),
    )
    if (failures.length === 0) {
      this.#enter('stopped')
      return
    }
    const [first] = failures
    this.#metrics.failed(first instanceof Stop ? first.code : 'unexpected')
    this.#enter('failed')
    throw first
  }

  health(): { readonly ok: boolean; readonly [detail: string]: unknown } {
    return { ok: this.#state === 'running', state: this.#state, partitions: this.#metrics.stands }
  }

  #enter(state: LoopState): void {
    this.#state = state
    this.#metrics.state(state)
  }
}
