import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, ITopicConfig } from 'kafkajs'
import { classify, isElecting, wasAnswered } from './classify.ts'
import type { Client } from './client.ts'
import { kafkajs } from './kafkajs.ts'
import type { KafkaLimits } from './limits.ts'
import { nobody, OffsetCommitter } from './offset-committer.ts'
import type { CommittedOffset, GroupMember, KafkaAdmin, TopicSpec } from './port.ts'
import { within } from './within.ts'

const topicsRequestMs = 30_000
const coordinatorAttempts = 60
const coordinatorRetryMs = 250
const leaderAttempts = 120
const leaderRetryMs = 100

type Open = { readonly client: Client; readonly admin: Admin; readonly connected: Promise<void> }

/** Administration over one connection, which is opened when first needed, and anew after a failure of it. */
export class LazyAdmin implements KafkaAdmin {
  readonly #openClient: (limits?: Partial<KafkaLimits>) => Client
  readonly #limits: KafkaLimits
  #open: Open | null = null
  /** Ends when the question at hand is answered. */
  #atHand: Promise<unknown> = Promise.resolve()

  constructor(options: {
    readonly openClient: (limits?: Partial<KafkaLimits>) => Client
    readonly limits: KafkaLimits
  }) {
    this.#openClient = options.openClient
    this.#limits = options.limits
  }

  createTopics(specs: readonly TopicSpec[]): Promise<readonly string[]> {
    return this.#longUse('create topics', async admin => {
      const existing = new Set(await admin.listTopics())
      const missing = specs.filter(({ topic }) => !existing.has(topic))
      const names = missing.map(({ topic }) => topic)
      if (names.length > 0) {
        await admin.createTopics({
          waitForLeaders: false,
          timeout: topicsRequestMs,
          topics: missing.map(toTopicConfig),
        })
        await untilLed(admin, names)
      }
      return names
    })
  }

  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.use('read topics', async admin => {
      const existing = new Set(await admin.listTopics())
      const known = topics.filter(topic => existing.has(topic))
      if (known.length === 0) return new Map()
      const metadata = await admin.fetchTopicMetadata({ topics: known })
      return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]))
    })
  }

  topicConfig(topic: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.use(`read the configuration of ${topic}`, async admin => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [...keys] }],
      })
      return new Map(resources.flatMap(({ configEntries }) => configEntries.map(e => [e.configName, e.configValue])))
    })
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.#longUse('delete topics', admin =>
      admin.deleteTopics({ topics: [...topics], timeout: topicsRequestMs }),
    )
  }

  members(group: string): Promise<readonly GroupMember[]> {
    return this.useOfGroup(`describe group ${group}`, async admin => {
      const { groups } = await admin.describeGroups([group])
      // The broker writes an address with a slash before it, for the host name that it does not look up.
      return (groups[0]?.members ?? []).map(({ clientId, clientHost }) => ({
        clientId,
        host: clientHost.replace(/^\//, ''),
      }))
    })
  }

  async setOffsets({
    group,
    topic,
    offsets,
  }: {
    readonly group: string
    readonly topic: string
    readonly offsets: ReadonlyMap<number, CommittedOffset>
  }): Promise<void> {
    const partitions = [...offsets].map(([partition, { offset, metadata }]) => ({
      partition,
      offset: `${offset}`,
      metadata,
    }))
    const committer = new OffsetCommitter({ openClient: this.#openClient, limits: this.#limits, group })
    try {
      for (let attempt = 1; ; attempt++) {
        const failure = await committer.commit(nobody, [{ topic, partitions }])
        if (!failure) return
        // A broker that has just started, or a group never heard of, has its coordinator elected now.
        if (failure.kind !== 'retriable' || attempt === coordinatorAttempts) throw failure
        await delay(coordinatorRetryMs)
      }
    } finally {
      await committer.close()
    }
  }

  /**
   * Runs with the connection; errors come out classified. One at a time: while one reads the metadata of its topic, kafkajs
   * loses that of another's, and tells it that a group has no offsets where it has some.
   */
  use<T>(doing: string, action: (admin: Admin) => Promise<T>): Promise<T> {
    const answer = this.#atHand.then(() => this.#useNow(doing, action))
    this.#atHand = answer.catch(() => {})
    return answer
  }

  async #useNow<T>(doing: string, action: (admin: Admin) => Promise<T>): Promise<T> {
    const used = (this.#open ??= this.#connect())
    const run = async (): Promise<T> => {
      await used.connected
      return action(used.admin)
    }
    try {
      return await within(this.#limits.askMs, doing, run())
    } catch (error) {
      // A connection that could not be made, or that lets us wait, would be found broken by everybody who comes after.
      if (!wasAnswered(error)) this.#drop(used)
      throw classify(error, doing)
    }
  }

  /**
   * The same for what the group's coordinator is asked, within the same bound. A broker that has just started has it
   * elected when it is first asked for; kafkajs finds out who it is to be, asks once and gives up.
   */
  useOfGroup<T>(doing: string, action: (admin: Admin) => Promise<T>): Promise<T> {
    return this.use(doing, async admin => {
      const endMs = performance.now() + this.#limits.askMs
      for (;;) {
        try {
          return await action(admin)
        } catch (error) {
          if (!isElecting(error) || performance.now() + coordinatorRetryMs > endMs) throw error
        }
        await delay(coordinatorRetryMs)
      }
    })
  }

  /** Over a connection of its own, whose requests may take as long as a cluster takes to elect leaders. */
  async #longUse<T>(doing: string, action: (admin: Admin) => Promise<T>): Promise<T> {
    const client = this.#openClient({ requestMs: topicsRequestMs })
    const admin = client.kafka.admin()
    const run = async (): Promise<T> => {
      await admin.connect()
      return action(admin)
    }
    try {
      return await within(this.#limits.adminMs, doing, run())
    } catch (error) {
      throw classify(error, doing)
    } finally {
      client.cut()
    }
  }

  #connect(): Open {
    const client = this.#openClient()
    const admin = client.kafka.admin()
    return { client, admin, connected: admin.connect() }
  }

  #drop(used: Open): void {
    if (this.#open === used) this.#open = null
    used.client.cut()
  }

  async close(): Promise<void> {
    const open = this.#open
    if (!open) return
    await within(this.#limits.closeMs, 'close the administration', open.admin.disconnect()).catch(() => {})
    this.#drop(open)
  }
}

/** kafkajs' own wait gives up on a broker that has not heard of a new topic yet. */
const untilLed = async (admin: Admin, topics: string[]): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      const metadata = await admin.fetchTopicMetadata({ topics })
      if (metadata.topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))) return
    } catch (error) {
      if (classify(error, 'create topics').kind !== 'retriable' || attempt >= leaderAttempts) throw error
    }
    if (attempt >= leaderAttempts) throw new Error(`no leaders for ${topics.join(', ')} after ${attempt} looks`)
    await delay(leaderRetryMs)
  }
}

const toTopicConfig = ({ topic, partitions, replicationFactor, config }: TopicSpec): ITopicConfig => ({
  topic,
  numPartitions: partitions,
  replicationFactor,
  configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
})
