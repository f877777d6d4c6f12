import type { UserRecord } from '../../../core/events.ts'
import type { Pos } from '../../../core/ids.ts'
import { systemClock } from '../../../runtime/clock.ts'
import type { CommittedOffset, KafkaPort } from '../../../runtime/kafka/port.ts'
import { MemoryBroker } from '../../../runtime/kafka/testing/memory-broker.ts'
import { toCommitted } from '../../../runtime/reader/progress.ts'
import { encodeUserRecord } from '../../../schemas/codec.ts'

const [topic, group] = ['users', 'settle']

/** A broker with one topic of user outputs and one group, which begins at the very start. */
export class UserBroker {
  readonly offsets: Map<number, CommittedOffset>
  /** Every commit, in order. */
  readonly commits: { readonly partition: number; readonly offset: bigint }[] = []
  onCommit: (partition: number, offset: CommittedOffset) => void = () => {}
  readonly #broker: MemoryBroker

  constructor({ partitions }: { readonly partitions: number }) {
    this.#broker = new MemoryBroker({
      clock: systemClock,
      fetchWaitMs: 5,
      fetchCount: () => 20,
      onMemberCommit: ({ partition, offset }) => {
        this.onCommit(partition, offset)
        this.commits.push({ partition, offset: offset.offset })
      },
    })
    this.#broker.addTopic({ topic, partitions })
    this.offsets = this.#broker.offsets(group, topic)
    for (let partition = 0; partition < partitions; partition++)
      this.offsets.set(partition, toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos }))
  }

  client(): KafkaPort {
    return this.#broker.client()
  }

  /** Appends what the topic has gained. An offset in two is a control record's, as after small transactions. */
  fill(records: readonly (readonly UserRecord[])[], encode: (record: UserRecord) => Buffer = encodeUserRecord): void {
    for (const [partition, all] of records.entries()) {
      const have = Number((this.#broker.log(topic, partition).high + 1n) / 2n)
      for (const [index, record] of all.entries())
        if (index >= have) this.#broker.put(topic, partition, { offset: BigInt(index) * 2n, value: encode(record) })
    }
  }
}
