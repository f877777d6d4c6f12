import { classify, wasAnswered } from './classify.ts'
import type { Client } from './client.ts'
import type { KafkaLimits } from './limits.ts'
import type { KafkaFailure } from './port.ts'
import { type Cluster, type OffsetCommitTopics, openCluster } from './private-cluster.ts'
import { within } from './within.ts'

/** As whom: a member in a generation, or nobody, whose offsets the coordinator takes only for a group without members. */
export type Committer = { readonly memberId: string; readonly groupGenerationId: number }

export const nobody: Committer = { memberId: '', groupGenerationId: -1 }

type Open = { readonly client: Client; readonly cluster: Cluster; readonly connected: Promise<void> }

/**
 * Commits offsets of a group, each in one request. kafkajs's own commit asks again under whatever generation has come
 * meanwhile, which may have given the partition to somebody else; and once its consumer has stopped, it says nothing
 * and commits nothing.
 */
export class OffsetCommitter {
  readonly #openClient: () => Client
  readonly #limits: KafkaLimits
  readonly #group: string
  #open: Open | null = null

  constructor(options: {
    readonly openClient: () => Client
    readonly limits: KafkaLimits
    readonly group: string
  }) {
    this.#openClient = options.openClient
    this.#limits = options.limits
    this.#group = options.group
  }

  /** Resolves with what went wrong, if something did. */
  async commit(committer: Committer, topics: OffsetCommitTopics): Promise<KafkaFailure | null> {
    const doing = `commit offsets of group ${this.#group}`
    try {
      await within(this.#limits.askMs, doing, this.#commit(committer, topics))
      return null
    } catch (error) {
      if (!wasAnswered(error)) this.#drop()
      return classify(error, doing)
    }
  }

  async #commit(committer: Committer, topics: OffsetCommitTopics): Promise<void> {
    this.#open ??= this.#connect()
    const { cluster, connected } = this.#open
    await connected
    const coordinator = await cluster.findGroupCoordinator({ groupId: this.#group })
    await coordinator.offsetCommit({ groupId: this.#group, ...committer, topics })
  }

  #connect(): Open {
    const client = this.#openClient()
    const cluster = openCluster(client.kafka)
    return { client, cluster, connected: cluster.connect() }
  }

  #drop(): void {
    this.#open?.client.cut()
    this.#open = null
  }

  async close(): Promise<void> {
    const goodbye = this.#open?.cluster.disconnect() ?? Promise.resolve()
    await within(this.#limits.closeMs, 'close the committer', goodbye).catch(() => {})
    this.#drop()
  }
}
