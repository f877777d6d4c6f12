import { TinyExchange } from '../../core/testing/tiny-exchange.ts'
import type { Pos, UserId } from '../../core/ids.ts'
import { serviceEnvironment, type Stack } from '../../local/stack.ts'
import { UserTopic } from '../../processor/settle/testing/user-topic.ts'
import { systemClock } from '../../runtime/clock.ts'
import { migrateStore } from '../../runtime/cql/migrate.ts'
import type { CqlPort, CqlRow } from '../../runtime/cql/port.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { namesOf, type StreamNames } from '../../runtime/names.ts'
import { toCommitted } from '../../runtime/reader/progress.ts'
import { encodeUserRecord } from '../../schemas/codec.ts'
import { inheritedEnvironment } from '../../sim/pipeline/inherited-environment.ts'
import { openBroker, openStore } from './stack-clients.ts'

type Servers = Pick<Stack, 'kafka' | 'cassandra'>

const users = [1, 2, 3, 4]
const awaitMs = 120_000

/** A stream whose `user.outputs` a test writes itself, with a keyspace for settle: no engine, bridge or repartition. */
export class UserStream {
  readonly partitions: number
  readonly names: StreamNames
  readonly topic: UserTopic
  readonly kafka: KafkaPort
  readonly cql: CqlPort
  /** The store's, which settle must be told. */
  readonly storeSyncMs: number
  readonly #servers: Servers
  readonly #exchange = new TinyExchange()
  #sent: readonly number[]

  private constructor(options: {
    readonly servers: Servers
    readonly names: StreamNames
    readonly partitions: number
    readonly kafka: KafkaPort
    readonly cql: CqlPort
    readonly storeSyncMs: number
  }) {
    this.#servers = options.servers
    this.names = options.names
    this.partitions = options.partitions
    this.kafka = options.kafka
    this.cql = options.cql
    this.storeSyncMs = options.storeSyncMs
    this.topic = new UserTopic({ partitions: options.partitions })
    this.#sent = this.topic.records.map(() => 0)
  }

  /** Makes the topic, the first offsets of settle's group and the tables; every user gets something to trade with. */
  static async open(servers: Servers, options: { readonly stream: string; readonly partitions: number }) {
    const { stream, partitions } = options
    const names = namesOf(stream)
    const { contactPoints, localDataCenter: datacenter } = servers.cassandra
    const kafka = openBroker(servers, stream)
    await kafka.admin.createTopics([{ topic: names.topics.users, partitions, replicationFactor: 1, config: {} }])
    const start = toCommitted({ offset: 0n, n: 0n, pos: 0n as Pos })
    await kafka.admin.setOffsets({
      group: names.groups.settle,
      topic: names.topics.users,
      offsets: new Map(Array.from({ length: partitions }, (_, partition) => [partition, start])),
    })
    await migrateStore({
      open: ({ keyspace }) => openStore(servers, keyspace === undefined ? undefined : stream),
      ...{ keyspace: names.keyspace, stream, partitions, datacenter },
      replicationFactor: Math.min(3, contactPoints.length),
    })
    const cql = await openStore(servers, stream)
    const storeSyncMs = (await cql.commitLogSyncMs()) ?? 10_000
    const made = new UserStream({ servers, names, partitions, kafka, cql, storeSyncMs })
    for (const user of users)
      for (const asset of [1, 2])
        made.topic.output(made.#exchange.take({ kind: 'deposit', user, asset, amount: 10_000_000 }))
    return made
  }

  /** So many orders, with barriers between and behind them; other seeds make other orders. Nothing is sent yet. */
  trade(count: number, seed: number): void {
    for (let at = 0; at < count; at++) {
      const user = 1 + ((at * 7 + seed) % users.length)
      const side = (at + seed) % 2 === 0 ? ('Buy' as const) : ('Sell' as const)
      const [price, lots] = [50 + ((at * 3) % 5) - 2, 1 + (at % 9)]
      this.topic.output(this.#exchange.take({ kind: 'place', user, side, price, lots, life: 'rest' }))
      if (at % 25 === 24) this.topic.barrier()
    }
    this.topic.barrier()
  }

  /** Sends what the topic has gained. */
  async send(): Promise<void> {
    const writer = await this.kafka.openTxWriter({ transactionalId: this.names.transactionalIds.repartition })
    const records = this.topic.records.flatMap((each, partition) =>
      each.slice(this.#sent[partition]).map(record => ({
        topic: this.names.topics.users,
        partition,
        key: null,
        value: encodeUserRecord(record),
        timestampMs: record.pos / 1000n,
      })),
    )
    await writer.commitBatch({ records })
    await writer.close()
    this.#sent = this.topic.records.map(each => each.length)
  }

  /** What a process of settle is told. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...inheritedEnvironment(),
      ...serviceEnvironment(this.#servers),
      STREAM: this.names.stream,
      PARTITIONS: `${this.partitions}`,
      STORE_SYNC_MS: `${this.storeSyncMs}`,
      STOP_LINGER_MS: '0',
    }
  }

  /** Until everything up to the last barrier is acknowledged, cells and all. */
  settled(): Promise<void> {
    return until(`${this.names.stream} settled`, async () => {
      const query = 'SELECT part FROM intervals WHERE barrier_pos = ?'
      if ((await this.cql.query(query, [this.topic.pos])).length < this.partitions) return false
      const [wanted, found] = [this.engineBalances(), await this.storedBalances()]
      return wanted.size === found.size && [...wanted].every(([key, value]) => found.get(key) === value)
    })
  }

  /** Until the offsets are committed at the last barrier; the store is not asked. */
  committed(): Promise<void> {
    return until(`offsets of ${this.names.stream} committed at the last barrier`, async () => {
      const offsets = await this.kafka.committed({ group: this.names.groups.settle, topic: this.names.topics.users })
      return [...offsets.values()].every(({ metadata }) => metadata.includes(`pos=${this.topic.pos}`))
    })
  }

  /** Every user's balances by the engine's own last word. */
  engineBalances(): ReadonlyMap<string, string> {
    const last = new Map<string, string>()
    for (const record of this.topic.records.flat())
      if (record.kind === 'UserOutput')
        for (const { value } of record.changes)
          last.set(`${value.user}/${value.asset}`, `${value.available} ${value.frozen} ${value.version} ${record.pos}`)
    return last
  }

  async storedBalances(): Promise<ReadonlyMap<string, string>> {
    const rows = await this.all('SELECT user_id, asset, bal FROM balances')
    return new Map(
      rows.map(row => [`${row['user_id'] as UserId}/${row['asset'] as number}`, (row['bal'] as bigint[]).join(' ')]),
    )
  }

  async all(query: string): Promise<readonly CqlRow[]> {
    const rows: CqlRow[] = []
    for await (const row of this.cql.scan(query)) rows.push(row)
    return rows
  }

  /** Drops what `open` made. */
  async drop(): Promise<void> {
    await this.cql.define(`DROP KEYSPACE IF EXISTS ${this.names.keyspace}`)
    await this.kafka.admin.deleteTopics([this.names.topics.users])
    await this.close()
  }

  /** For when the servers go anyway. */
  async close(): Promise<void> {
    await this.cql.close()
    await this.kafka.close()
  }
}

/** @throws Error that names what did not happen in time */
export const until = async (what: string, condition: () => Promise<boolean>, withinMs = awaitMs): Promise<void> => {
  const deadline = systemClock.monotonicMs() + withinMs
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await systemClock.sleep(100)
  }
}
