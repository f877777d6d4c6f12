import type { UserRecord } from '../../../core/events.ts'
import type { Clock } from '../../../runtime/clock.ts'
import {
  type Assignment,
  type CommittedOffset,
  type Fetcher,
  type JoinOptions,
  KafkaFailure,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
} from '../../../runtime/kafka/port.ts'
import { encodeUserRecord } from '../../../schemas/codec.ts'

const unused = (what: string) => (): never => {
  throw new Error(`the load service has no business with ${what}`)
}

/** One topic and one group in memory. Offsets of a new group are 0, as `settle init` leaves them. */
export class FakeKafka {
  readonly #records: readonly (readonly KafkaRecord[])[]
  readonly #clock: Clock
  readonly offsets: Map<number, CommittedOffset>
  readonly #fetchCount: () => number
  /** Called at each commit; throwing refuses it. */
  onCommit: (partition: number) => void = () => {}
  #generation = 0
  #member: JoinOptions | null = null

  constructor(
    topic: readonly (readonly UserRecord[])[],
    {
      clock,
      fetchCount,
      encode = encodeUserRecord,
    }: {
      readonly clock: Clock
      readonly fetchCount: () => number
      readonly encode?: (record: UserRecord) => Buffer
    },
  ) {
    this.#clock = clock
    this.#fetchCount = fetchCount
    this.#records = topic.map(records =>
      records.map((record, offset) => ({
        offset: BigInt(offset),
        key: null,
        value: encode(record),
        timestampMs: record.pos / 1000n,
      })),
    )
    this.offsets = new Map(topic.map((_, partition) => [partition, { offset: 0n, metadata: 'n=0 pos=0' }]))
  }

  get isReadUp(): boolean {
    return this.#records.every((records, partition) => this.offsets.get(partition)?.offset === BigInt(records.length))
  }

  /** The group's members change, and change back: everybody gets a new assignment. */
  rebalance(): void {
    this.#generation++
    this.#member?.onAssignment(this.#assignment())
  }

  #assignment(): Assignment {
    return { generation: this.#generation, partitions: this.#records.map((_, partition) => partition) }
  }

  readonly port: KafkaPort = {
    openTxWriter: unused('a transactional writer'),
    openFetcher: () => this.#fetcher,
    bounds: async () =>
      new Map(this.#records.map((records, partition) => [partition, { low: 0n, end: BigInt(records.length) }])),
    readTail: async ({ partition, count, before }) => {
      const all = this.#records[partition] as readonly KafkaRecord[]
      const end = Number(before ?? all.length)
      return all.slice(Math.max(0, end - count), end)
    },
    join: async options => {
      this.#member = options
      queueMicrotask(() => this.rebalance())
      return this.#membership
    },
    committed: async () => this.offsets,
    brokerTimeMs: unused("the broker's time"),
    admin: {
      createTopics: unused('creating topics'),
      partitionCounts: async ([topic]) => new Map([[topic as string, this.#records.length]]),
      topicConfig: unused('topic settings'),
      deleteTopics: unused('deleting topics'),
      members: unused('members'),
      setOffsets: unused('setting offsets'),
    },
    close: async () => {},
  }

  readonly #fetcher: Fetcher = {
    read: async ({ partition, offset }) => {
      const from = Number(offset)
      const records = (this.#records[partition] ?? []).slice(from, from + this.#fetchCount())
      if (records.length === 0) await this.#clock.sleep(50)
      return { records, next: offset + BigInt(records.length) }
    },
    close: async () => {},
  }

  readonly #membership: Membership = {
    owner: unused('the owner of a partition'),
    commit: async (assignment, partition, offset) => {
      if (assignment.generation !== this.#generation || this.#member === null)
        throw new KafkaFailure('superseded', `generation ${assignment.generation} is over`)
      this.onCommit(partition)
      this.offsets.set(partition, offset)
    },
    leave: async () => {
      this.#member = null
    },
  }
}
