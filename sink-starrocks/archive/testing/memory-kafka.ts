import {
  type Assignment,
  type CommittedOffset,
  type Fetcher,
  type JoinOptions,
  type KafkaAdmin,
  KafkaFailure,
  type KafkaPort,
  type KafkaRecord,
  type Membership,
  type TxWriter,
} from '../../../runtime/kafka/port.ts'

type Group = { readonly offsets: Map<number, CommittedOffset>; readonly members: JoinOptions[]; generation: number }

/** Topics that are complete before anybody reads, and groups that share them: as much of Kafka as a reader sees. */
export class MemoryKafka implements KafkaPort {
  readonly #topics = new Map<string, readonly (readonly KafkaRecord[])[]>()
  readonly #groups = new Map<string, Group>()
  readonly #current = new Map<JoinOptions, Assignment>()

  addTopic(
    topic: string,
    partitions: readonly (readonly { readonly offset: bigint; readonly value: Buffer }[])[],
  ): void {
    this.#topics.set(
      topic,
      partitions.map(records => records.map(({ offset, value }) => ({ offset, value, key: null, timestampMs: 0n }))),
    )
  }

  setOffsets(group: string, partitions: number, offset: CommittedOffset): void {
    for (let partition = 0; partition < partitions; partition++) this.#group(group).offsets.set(partition, offset)
  }

  offsetsOf(group: string): ReadonlyMap<number, CommittedOffset> {
    return this.#group(group).offsets
  }

  async join(options: JoinOptions): Promise<Membership> {
    const group = this.#group(options.group)
    group.members.push(options)
    this.#rebalance(group, options.topic)
    return {
      commit: async (assignment, partition, offset) => {
        if (this.#current.get(options) !== assignment) throw new KafkaFailure('superseded', 'the assignment is over')
        group.offsets.set(partition, offset)
      },
      leave: async () => {
        group.members.splice(group.members.indexOf(options), 1)
        this.#current.delete(options)
        this.#rebalance(group, options.topic)
      },
    }
  }

  openFetcher(): Fetcher {
    return {
      read: async ({ topic, partition, offset }) => {
        await new Promise(resolve => setImmediate(resolve))
        const records = this.#partition(topic, partition).filter(record => record.offset >= offset)
        const some = records.slice(0, 10)
        return { records: some, next: (some.at(-1)?.offset ?? offset - 1n) + 1n }
      },
      close: async () => {},
    }
  }

  async bounds(topic: string) {
    const partitions = this.#topics.get(topic) ?? []
    return new Map(partitions.map((records, p) => [p, { low: 0n, end: (records.at(-1)?.offset ?? -1n) + 1n }]))
  }

  async readTail({ topic, partition, count, before }: Parameters<KafkaPort['readTail']>[0]) {
    return this.#partition(topic, partition)
      .filter(({ offset }) => before === undefined || offset < before)
      .slice(-count)
  }

  async committed({ group }: { readonly group: string }) {
    return new Map(this.#group(group).offsets)
  }

  readonly admin: KafkaAdmin = {
    partitionCounts: async topics =>
      new Map([...this.#topics].filter(([topic]) => topics.includes(topic)).map(([topic, all]) => [topic, all.length])),
    createTopics: unused,
    topicConfig: unused,
    deleteTopics: unused,
    memberCount: unused,
    setOffsets: unused,
  }

  openTxWriter(): Promise<TxWriter> {
    return unused()
  }

  async close(): Promise<void> {}

  #rebalance(group: Group, topic: string): void {
    group.generation++
    const count = this.#topics.get(topic)?.length ?? 0
    const partitions = Array.from({ length: count }, (_, partition) => partition)
    for (const [i, member] of group.members.entries()) {
      const own = partitions.filter(partition => partition % group.members.length === i)
      const assignment = { generation: group.generation, partitions: own }
      this.#current.set(member, assignment)
      member.onAssignment(assignment)
    }
  }

  #group(name: string): Group {
    const group = this.#groups.get(name) ?? { offsets: new Map(), members: [], generation: 0 }
    this.#groups.set(name, group)
    return group
  }

  #partition(topic: string, partition: number): readonly KafkaRecord[] {
    return this.#topics.get(topic)?.[partition] ?? []
  }
}

const unused = (): Promise<never> => Promise.reject(new Error('an archive does not ask this of Kafka'))
