import type { LogRecord } from '../../core/events.ts'
import { type Pos, pos as asPos, userId } from '../../core/ids.ts'
import { userKey } from '../../core/partition.ts'
import { systemClock } from '../../runtime/clock.ts'
import { namesOf } from '../../runtime/names.ts'
import { type Progress, toCommitted } from '../../runtime/reader/progress.ts'
import { encodeLogRecord, encodeUserRecord } from '../../schemas/codec.ts'
import { windowOf } from '../../schemas/archive/archive-name.ts'
import { verify, type VerifyResult } from '../verify/verify.ts'
import { FakeKafka } from './fake-kafka.ts'
import { writeArchive } from './small-archive.ts'
import { partitions, type PlacedRecord, smallLog, smallUserOutputs, windowMs } from './small-log.ts'
import { SmallStores } from './small-stores.ts'

const names = namesOf('demo')

/**
 * A whole stream in small, all places right: tests break one thing and look whether it is found. `ticks`: the log ends
 * in Ticks and everybody has read all of it; `trading`: it goes on with trades that the stores have and the readers
 * have not committed yet.
 */
export class SmallWorld {
  readonly kafka = new FakeKafka()
  readonly stores = new SmallStores()
  readonly archiveDir: string
  readonly log: readonly LogRecord[]
  readonly users: readonly PlacedRecord[]

  constructor({ dir, last }: { readonly dir: string; readonly last: 'ticks' | 'trading' }) {
    this.archiveDir = dir
    this.log = smallLog({ last })
    this.users = smallUserOutputs(this.log)
    this.#fillKafka()
    const end = (this.log.at(-1) as LogRecord).pos
    this.stores.addRows(this.log, encodeLogRecord)
    this.stores.addIntervals(this.users)
    this.stores.addStates(this.log, end)
    this.#archiveAndCommit(end)
  }

  verify(skip: { readonly cql?: null; readonly sql?: null; readonly archiveDir?: null } = {}): Promise<VerifyResult> {
    return verify({
      kafka: this.kafka,
      cql: this.stores.cql(),
      sql: this.stores.sql(),
      archiveDir: this.archiveDir,
      names,
      partitions,
      clock: systemClock,
      waitMs: 0,
      ...skip,
    })
  }

  #fillKafka(): void {
    const spec = { replicationFactor: 1, config: {} }
    this.kafka.addTopic({ topic: names.topics.log, partitions: 1, ...spec })
    this.kafka.addTopic({ topic: names.topics.users, partitions, ...spec })
    for (const record of this.log)
      this.kafka.append(names.topics.log, 0, { value: encodeLogRecord(record), timestampMs: record.pos / 1000n })
    for (const { partition, record } of this.users)
      this.kafka.append(names.topics.users, partition, {
        key: keyOf(record),
        value: encodeUserRecord(record),
        timestampMs: record.pos / 1000n,
      })
  }

  /** The archive has closed all windows but the last; the others have committed the last barrier before its end. */
  #archiveAndCommit(end: Pos): void {
    const open = windowOf(end, windowMs)
    const closed = (pos: bigint): boolean => windowOf(pos, windowMs) < open
    const { stream, groups, topics } = names
    const rows = this.stores.csv
    const archive = (topic: 'user.outputs' | 'engine.outputs', partition: number, of: number): string =>
      `${windowMs}:${writeArchive({ dir: this.archiveDir, partition: { stream, topic, partition, partitions: of }, rows, open })}`
    const lastLog = this.log.findLastIndex(({ pos }) => closed(pos))
    const logProgress = { offset: BigInt(lastLog) + 1n, n: 0n, pos: (this.log[lastLog] as LogRecord).pos }
    this.#commit(groups.archiveLog, topics.log, 0, { ...logProgress, note: archive('engine.outputs', 0, 1) })
    for (let partition = 0; partition < partitions; partition++) {
      const mine = this.users.filter(each => each.partition === partition).map(({ record }) => record)
      const lastClosed = mine.findLastIndex(({ pos }) => closed(pos))
      const lastBarrier = mine.findLastIndex(({ kind, pos }) => kind === 'Barrier' && closed(pos))
      const at = (index: number): Progress => ({
        offset: BigInt(index) + 1n,
        n: mine[index]?.n ?? 0n,
        pos: mine[index]?.pos ?? asPos(0n),
      })
      this.#commit(groups.settle, topics.users, partition, at(lastBarrier))
      this.#commit(groups.load, topics.users, partition, at(lastBarrier))
      const note = archive('user.outputs', partition, partitions)
      this.#commit(groups.archive, topics.users, partition, { ...at(lastClosed), note })
    }
  }

  #commit(group: string, topic: string, partition: number, progress: Progress): void {
    this.kafka.commit(group, topic, new Map([[partition, toCommitted(progress)]]))
  }
}

const keyOf = (record: PlacedRecord['record']): Buffer | null => {
  switch (record.kind) {
    case 'UserOutput':
    case 'UserRedrive':
      return userKey(record.user)
    case 'UserCorrection':
      return userKey(userId(record.correction.user))
    case 'UserReference':
    case 'Barrier':
      return null
  }
}
