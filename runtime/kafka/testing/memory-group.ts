import type { Clock } from '../../clock.ts'
import { type Assignment, type CommittedOffset, KafkaFailure } from '../port.ts'

/** A member as its group knows it. */
export type GroupMember = {
  readonly client: string
  readonly topic: string
  /** Told of each new assignment, in its own time. */
  readonly assign: (assignment: Assignment) => void
  readonly fail: (error: Error) => void
}

export type MemoryGroupOptions = {
  readonly clock: Clock
  readonly partitionCount: (topic: string) => number
  /** From a change of members to the next generation. */
  readonly rebalanceDelayMs: () => number
  /** By how many members the partitions move on at a rebalance; 0 leaves them in the order of joining. */
  readonly assignmentTurn: () => number
}

/** What the group coordinator knows of one group: committed offsets, members, the generation. */
export class MemoryGroup {
  readonly #options: MemoryGroupOptions
  readonly #offsets = new Map<string, Map<number, CommittedOffset>>()
  readonly #members = new Map<GroupMember, Assignment | null>()
  #generation = 0
  #rebalancing = false

  constructor(options: MemoryGroupOptions) {
    this.#options = options
  }

  get memberCount(): number {
    return this.#members.size
  }

  /** Whose members are in it. */
  get clients(): readonly string[] {
    return [...this.#members.keys()].map(({ client }) => client)
  }

  /** Committed offsets of a topic: the map itself. */
  offsets(topic: string): Map<number, CommittedOffset> {
    const offsets = this.#offsets.get(topic) ?? new Map<number, CommittedOffset>()
    this.#offsets.set(topic, offsets)
    return offsets
  }

  /** A topic is gone, and with it what was committed of it. */
  forget(topic: string): void {
    this.#offsets.delete(topic)
  }

  add(member: GroupMember): void {
    if (this.#members.has(member)) return
    this.#members.set(member, null)
    this.rebalance()
  }

  remove(member: GroupMember): void {
    if (this.#members.delete(member)) this.rebalance()
  }

  has(member: GroupMember): boolean {
    return this.#members.has(member)
  }

  /** Who has a partition in the generation there is; nobody between two of them. */
  owner(topic: string, partition: number): GroupMember | null {
    if (this.#rebalancing) return null
    for (const [member, assignment] of this.#members)
      if (member.topic === topic && assignment?.partitions.includes(partition)) return member
    return null
  }

  /** Memberships end for good, as when the coordinator refuses them. */
  fail(error: Error): void {
    const members = [...this.#members.keys()]
    this.#members.clear()
    for (const member of members) member.fail(error)
  }

  /** Everybody gets a new assignment; several changes close together make one. */
  rebalance(): void {
    if (this.#rebalancing) return
    this.#rebalancing = true
    void this.#assignAnew()
  }

  async #assignAnew(): Promise<void> {
    const ms = this.#options.rebalanceDelayMs()
    await (ms > 0 ? this.#options.clock.sleep(ms) : Promise.resolve())
    this.#rebalancing = false
    this.#generation++
    const members = [...this.#members.keys()]
    const turn = this.#options.assignmentTurn()
    for (const [place, member] of members.entries()) {
      const index = (place + turn) % members.length
      const all = Array.from({ length: this.#options.partitionCount(member.topic) }, (_, partition) => partition)
      const partitions = all.filter(partition => partition % members.length === index)
      this.#members.set(member, { generation: this.#generation, partitions })
    }
    for (const [member, assignment] of this.#members) if (assignment) member.assign(assignment)
  }

  /**
   * `seen` is called before it counts, and may throw.
   * @throws KafkaFailure `superseded` when the member is not in the group, or its assignment is not the last one.
   */
  commit(
    member: GroupMember,
    assignment: Assignment,
    partition: number,
    offset: CommittedOffset,
    seen: () => void,
  ): void {
    const current = this.#members.get(member)
    if (!current) throw new KafkaFailure('superseded', 'the coordinator is not aware of this member')
    if (current.generation !== assignment.generation)
      throw new KafkaFailure('superseded', `generation ${assignment.generation} is over, it is ${current.generation}`)
    seen()
    this.offsets(member.topic).set(partition, offset)
  }
}
