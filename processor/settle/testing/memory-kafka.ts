import type { UserRecord } from '../../../core/events.ts'
import type { Pos } from '../../../core/ids.ts'
import {
  type Assignment,
  type CommittedOffset,
  type Fetcher,
  type JoinOptions,
  KafkaFailure,
  type KafkaAdmin,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
  type PartitionBounds,
  type TxWriter,
} from '../../../runtime/kafka/port.ts'
import { toCommitted } from '../../../runtime/reader/progress.ts'
import { encodeUserRecord } from '../../../schemas/codec.ts'

/** One topic and one group in memory, as far as a reader needs them. The newest member owns every partition. */
export class MemoryKafka implements KafkaPort {
  readonly admin: KafkaAdmin
  readonly offsets = new Map<number, CommittedOffset>()
  /** Every commit, in order. */
  readonly commits: { readonly partition: number; readonly offset: bigint }[] = []
  onCommit: (partition: number, offset: CommittedOffset) => void = () => {}
  readonly #records: KafkaRecord[][]
  #current: { readonly member: Membership; readonly assignment: Assignment; readonly options: JoinOptions } | null =
    null
  #generation = 0
  #arrival = Promise.withResolvers<void>()

  constructor({ partitions }: { readonly partitions: number }) {
    this.#records = Array.from({ length: partitions }, () => [])
    for (let partition = 0; partition < partitions; partition++)
      this.offsets.set(partition, toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos }))
    this.admin = {
      partitionCounts: names => Promise.resolve(new Map(names.map(name => [name, partitions]))),
    } as Partial<KafkaAdmin> as KafkaAdmin
  }

  /** Appends what the topic has gained. An offset in two is a control record's, as after small transactions. */
  fill(topic: readonly (readonly UserRecord[])[]): void {
    for (const [partition, records] of topic.entries()) {
      const log = this.#records[partition] as KafkaRecord[]
      for (const record of records.slice(log.length))
        log.push({
          offset: BigInt(log.length) * 2n,
          key: null,
          value: encodeUserRecord(record),
          timestampMs: record.pos / 1000n,
        })
    }
    this.#arrival.resolve()
    this.#arrival = Promise.withResolvers()
  }

  join(options: JoinOptions): Promise<Membership> {
    const partitions = this.#records.map((_, partition) => partition)
    const assignment = { generation: ++this.#generation, partitions }
    this.#current?.options.onAssignment({ generation: this.#generation, partitions: [] })
    const member: Membership = {
      commit: (under, partition, offset) => {
        if (under !== this.#current?.assignment)
          return Promise.reject(new KafkaFailure('superseded', 'not ours any more'))
        this.onCommit(partition, offset)
        this.offsets.set(partition, offset)
        this.commits.push({ partition, offset: offset.offset })
        return Promise.resolve()
      },
      leave: () => Promise.resolve(),
    }
    this.#current = { member, assignment, options }
    options.onAssignment(assignment)
    return Promise.resolve(member)
  }

  openFetcher(): Fetcher {
    return {
      read: async ({ partition, offset }) => {
        const log = this.#records[partition] as KafkaRecord[]
        const found = log.filter(each => each.offset >= offset)
        // A real fetch waits a while for something to come.
        if (found.length === 0)
          await Promise.race([this.#arrival.promise, new Promise(resolve => setTimeout(resolve, 5))])
        const records = found.slice(0, 20)
        return { records, next: (records.at(-1)?.offset ?? offset - 1n) + 1n }
      },
      close: () => Promise.resolve(),
    }
  }

  bounds(): Promise<ReadonlyMap<number, PartitionBounds>> {
    return Promise.resolve(
      new Map(this.#records.map((log, partition) => [partition, { low: 0n, end: BigInt(log.length) * 2n }])),
    )
  }

  readTail({ partition, count, before }: Parameters<KafkaPort['readTail']>[0]): Promise<readonly KafkaRecord[]> {
    const log = this.#records[partition] as KafkaRecord[]
    return Promise.resolve(log.filter(each => before === undefined || each.offset < before).slice(-count))
  }

  committed(): Promise<ReadonlyMap<number, CommittedOffset>> {
    return Promise.resolve(this.offsets)
  }
  openTxWriter(): Promise<TxWriter> {
    return Promise.reject(new Error('nothing is written to this topic'))
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
}
