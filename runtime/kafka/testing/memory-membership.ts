import {
  type Assignment,
  type CommittedOffset,
  type JoinOptions,
  KafkaFailure,
  type Membership,
  type Owner,
} from '../port.ts'
import type { GroupMember, MemoryGroup } from './memory-group.ts'
import type { MemoryKafka } from './memory-kafka.ts'

/** A client's side of its membership: it hears of an assignment some time after the group has made it. */
export class MemoryMembership implements Membership {
  readonly #kafka: MemoryKafka
  readonly #group: MemoryGroup
  readonly #name: string
  readonly #member: GroupMember
  readonly #first = Promise.withResolvers<void>()
  #latest: Assignment | null = null
  #current: Assignment | null = null
  #left = false
  onLeave: () => void = () => {}

  constructor({
    kafka,
    group,
    join,
  }: {
    readonly kafka: MemoryKafka
    readonly group: MemoryGroup
    readonly join: JoinOptions
  }) {
    this.#kafka = kafka
    this.#group = group
    this.#name = join.group
    this.#member = {
      client: kafka.name,
      topic: join.topic,
      assign: assignment => void this.#hear(assignment, join.onAssignment),
      fail: error => {
        if (!this.#left) join.onFailure(error)
      },
    }
  }

  /** Resolves with the first assignment. */
  get assigned(): Promise<void> {
    return this.#first.promise
  }

  async #hear(assignment: Assignment, tell: (assignment: Assignment) => void): Promise<void> {
    this.#latest = assignment
    await this.#kafka.awake
    if (this.#left || this.#latest !== assignment) return
    this.#current = assignment
    tell(assignment)
    this.#first.resolve()
  }

  /** The coordinator has not heard of this member for too long. The member does not know. */
  expire(): void {
    this.#group.remove(this.#member)
  }

  /** Joins, or joins again once it has noticed that it is out. */
  rejoin(): void {
    if (!this.#left) this.#group.add(this.#member)
  }

  async commit(assignment: Assignment, partition: number, offset: CommittedOffset): Promise<void> {
    const check = (): void => {
      if (this.#left || assignment !== this.#current) throw new KafkaFailure('superseded', 'the assignment is over')
    }
    check()
    const { topic } = this.#member
    const { onMemberCommit } = this.#kafka.broker.options
    await this.#kafka.ask({ kind: 'commit-offset', target: this.#name, partition }, () =>
      this.#group.commit(this.#member, assignment, partition, offset, () =>
        onMemberCommit({ group: this.#name, topic, partition, offset }),
      ),
    )
  }

  owner(partition: number): Promise<Owner> {
    return this.#kafka.ask({ kind: 'describe-group', target: this.#name, partition }, () => {
      const owner = this.#group.owner(this.#member.topic, partition)
      if (owner === null) return 'nobody'
      return owner === this.#member && !this.#left ? 'this member' : 'another member'
    })
  }

  async leave(): Promise<void> {
    if (this.#left) return
    this.#left = true
    // Should the request be lost, the session timeout does it; nobody waits for it here. Who dies while it leaves is still
    // a member for as long.
    await this.#kafka.ask({ kind: 'leave-group', target: this.#name }, () => {}).catch(() => {})
    this.#group.remove(this.#member)
    this.onLeave()
  }
}
