/** What the services ask of Kafka. Every guard against the client's defects lives behind this port. */
export interface KafkaPort {
  /** Fences every earlier writer of this id, waits out its transaction, and returns the one writer there now is. */
  openTxWriter(options: { readonly transactionalId: string }): Promise<TxWriter>
  /** Reads committed records without a group: no offsets, no rebalances. */
  openFetcher(): Fetcher
  /** First offset kept, and the end for a reader of committed data (the offset after the last stable one). */
  bounds(topic: string): Promise<ReadonlyMap<number, PartitionBounds>>
  /** The last `count` committed data records before `before` (default: the end), in order; fewer only when there are fewer. */
  readTail(options: {
    readonly topic: string
    readonly partition: number
    readonly count: number
    readonly before?: bigint
  }): Promise<readonly KafkaRecord[]>
  /** Joins a group on one topic. Rejects when the group or topic can't be reached. */
  join(options: JoinOptions): Promise<Membership>
  /** Committed offsets of a group, whoever is in it; partitions without one are missing from the map. */
  committed(options: { readonly group: string; readonly topic: string }): Promise<ReadonlyMap<number, CommittedOffset>>
  /**
   * The broker's clock in ms since 1970, as it stamped a probe record that this call writes to a LogAppendTime topic.
   * It was read between the call and the answer: whoever compares it takes his own time before and after.
   * @throws KafkaFailure `fatal` naming the topic when its records carry the writer's time; `retriable` otherwise
   */
  brokerTimeMs(topic: string): Promise<bigint>
  readonly admin: KafkaAdmin
  close(): Promise<void>
}

export type PartitionBounds = { readonly low: bigint; readonly end: bigint }

export type KafkaRecord = {
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer
  readonly timestampMs: bigint
}

export type OutgoingRecord = {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer
  readonly timestampMs: bigint
}

export type CommittedOffset = { readonly offset: bigint; readonly metadata: string }

/** One writer, one operation at a time. After any rejection the writer is of no more use: close it, open another. */
export interface TxWriter {
  /**
   * Writes the records, and the group's offset if given, in one transaction: all or none, durable when it resolves.
   * @throws KafkaFailure: `fenced` (another writer took over) or `unknown` (it may have been committed: read the tail).
   */
  commitBatch(batch: {
    readonly records: readonly OutgoingRecord[]
    readonly groupOffset?: {
      readonly group: string
      readonly topic: string
      readonly partition: number
    } & CommittedOffset
  }): Promise<void>
  /**
   * Resolves when no other writer of this id has come by now: what was read since this one was opened is the last word.
   * It changes nothing: a transaction with an offset of that group is begun and aborted.
   * @throws KafkaFailure as `commitBatch` does; `unknown`: it can't be told
   */
  proveUnfenced(as: { readonly group: string; readonly topic: string; readonly partition: number }): Promise<void>
  close(): Promise<void>
}

export interface Fetcher {
  /**
   * Committed records at and after `offset`, in order, at most about `maxBytes`; none when none came within the
   * fetcher's wait. `next` is the offset to ask for then: past control and aborted records, which are not returned.
   * @throws KafkaFailure `out-of-range` when the topic no longer (or not yet) holds `offset`; `retriable` otherwise.
   */
  read(request: {
    readonly topic: string
    readonly partition: number
    readonly offset: bigint
    readonly maxBytes?: number
  }): Promise<{ readonly records: readonly KafkaRecord[]; readonly next: bigint }>
  close(): Promise<void>
}

export type JoinOptions = {
  readonly group: string
  readonly topic: string
  /** Called with each new assignment; the one before it is over. Empty while between assignments. */
  readonly onAssignment: (assignment: Assignment) => void
  /** Gives up joining, and rejects: a group that waits for members that died may take longer than a stop may. */
  readonly signal?: AbortSignal
  /** The membership itself failed and will not come back by itself. */
  readonly onFailure: (error: Error) => void
}

export type Assignment = { readonly generation: number; readonly partitions: readonly number[] }

/** Who owns a partition. */
export type Owner = 'this member' | 'another member' | 'nobody'

export interface Membership {
  /**
   * Who owns a partition of the group's topic, as the group's coordinator says now: not as we believe, since a member
   * that was blocked or cut off hears last that it is out. `nobody` while the group is between two assignments.
   * The answer is as old as its way here: it says whom to believe, only a fence stops the others.
   * @throws KafkaFailure when the coordinator can't be asked
   */
  owner(partition: number): Promise<Owner>
  /** Commits under the assignment it was read in; refuses with `superseded` once another has come. */
  commit(assignment: Assignment, partition: number, offset: CommittedOffset): Promise<void>
  /** Leaves the group, so that others take over at once. */
  leave(): Promise<void>
}

export type TopicSpec = {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

export type GroupMember = { readonly clientId: string; readonly host: string }

export interface KafkaAdmin {
  /** Creates what is missing; existing topics stay as they are. Returns the names created. */
  createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]>
  /** Partitions by topic; a topic that does not exist is missing from the map. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>
  topicConfig(topic: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  deleteTopics(topics: readonly string[]): Promise<void>
  /** Who is in a group now; nobody when the group does not exist. */
  members(group: string): Promise<readonly GroupMember[]>
  /** Sets a group's offsets. @throws KafkaFailure when the group has members. */
  setOffsets(options: {
    readonly group: string
    readonly topic: string
    readonly offsets: ReadonlyMap<number, CommittedOffset>
  }): Promise<void>
}

export type KafkaFailureKind =
  /** Another writer with this transactional id took over. */
  | 'fenced'
  /** It may or may not have been committed. */
  | 'unknown'
  /** Nothing happened; asking again may succeed. */
  | 'retriable'
  /** The offset is outside what the topic holds. */
  | 'out-of-range'
  /** The assignment under which this was asked is over. */
  | 'superseded'
  /** Asking again will not help: missing topic, refused credentials, a record too large. */
  | 'fatal'

export class KafkaFailure extends Error {
  override readonly name = 'KafkaFailure'
  readonly kind: KafkaFailureKind

  constructor(kind: KafkaFailureKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
