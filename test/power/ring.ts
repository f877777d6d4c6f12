import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, types } from 'cassandra-driver'
import { clean, type Stack, startServers, stopServer, up } from '../../local/stack.ts'
import type { StoredTables } from '../../processor/settle/testing/settled-world.ts'
import { systemClock } from '../../runtime/clock.ts'
import { readValue } from '../../runtime/cql/read-value.ts'
import type { CqlRow } from '../../runtime/cql/port.ts'

const { localOne, localQuorum } = types.consistencies

export type NodeName = 'cassandra-1' | 'cassandra-2' | 'cassandra-3'
type Nodes = readonly [NodeName, ...NodeName[]]

/** How often a loss may take longer than the sync period, on a machine that is busy with something else. */
const mostTries = 5
const mostRows = 100_000

/** Three nodes of a store that nobody else uses: their power is taken away. */
export class Ring {
  /** What a node wrote this long before it loses its power may be gone. */
  static readonly syncMs = 4000
  readonly cassandra: Stack['cassandra']
  readonly dir: string
  readonly #env: Readonly<Record<string, string | undefined>>

  private constructor(stack: Stack<'cassandra'>, env: Readonly<Record<string, string | undefined>>) {
    this.cassandra = stack.cassandra
    this.dir = stack.dataDir
    this.#env = env
  }

  static async up(): Promise<Ring> {
    const env = {
      ...process.env,
      SETTLE_DATA: await mkdtemp(join(tmpdir(), 'settle-power-')),
      STACK: 'local',
      ...{ CASSANDRA_NODES: '3', CASSANDRA_HEAP_MB: '320' },
      CASSANDRA_COMMITLOG_SYNC_PERIOD_MS: `${Ring.syncMs}`,
    }
    try {
      return new Ring(await up({ env, servers: ['cassandra'] }), env)
    } catch (error) {
      await clean({ env })
      throw error
    }
  }

  /**
   * The power goes: SIGKILL, and the commit log is again what it was less than a sync period before. A process that is
   * killed loses nothing, since the kernel has what it wrote. `acknowledged` does what will be lost; again, when it and
   * the kill took too long.
   */
  async losePower(nodes: Nodes, acknowledged: () => Promise<void>): Promise<void> {
    for (let tries = 0; tries < mostTries; tries++) {
      const startMs = systemClock.monotonicMs()
      const inTime = (): boolean => systemClock.monotonicMs() - startMs < Ring.syncMs
      await Promise.all(nodes.map(node => this.#copyLog(node)))
      await acknowledged()
      if (!inTime()) continue
      await Promise.all(nodes.map(node => stopServer(node, { env: this.#env, with: 'SIGKILL' })))
      if (inTime()) {
        await Promise.all(nodes.map(node => this.#putLogBack(node)))
        return
      }
      await this.start(nodes)
    }
    throw new Error(`what shall be lost took more than ${Ring.syncMs} ms ${mostTries} times`)
  }

  start(nodes: Nodes): Promise<void> {
    return startServers(nodes, { env: this.#env })
  }

  /** SIGTERM: the others know at once that it is gone. */
  stop(node: NodeName): Promise<void> {
    return stopServer(node, { env: this.#env })
  }

  /** All rows of these tables as a quorum has them, or as the one node has that still runs. */
  async read(keyspace: string, tables: readonly string[], from: 'quorum' | 'the one'): Promise<StoredTables> {
    const { contactPoints, port, localDataCenter } = this.cassandra
    const client = new Client({
      ...{ contactPoints, localDataCenter, protocolOptions: { port }, keyspace },
      encoding: { map: Map, useBigIntAsLong: true, useBigIntAsVarint: true },
      queryOptions: { consistency: from === 'quorum' ? localQuorum : localOne, fetchSize: mostRows },
    })
    try {
      const found = new Map<string, readonly CqlRow[]>()
      for (const table of tables) {
        const { rows } = await client.execute(`SELECT * FROM ${table}`)
        found.set(table, rows.map(rowOf))
      }
      return { rows: table => found.get(table) ?? [] }
    } finally {
      await client.shutdown()
    }
  }

  async end(): Promise<void> {
    await clean({ env: this.#env })
  }

  async #copyLog(node: NodeName): Promise<void> {
    await rm(this.#copyOf(node), { recursive: true, force: true })
    await cp(this.#logOf(node), this.#copyOf(node), { recursive: true })
  }

  async #putLogBack(node: NodeName): Promise<void> {
    await rm(this.#logOf(node), { recursive: true })
    await rename(this.#copyOf(node), this.#logOf(node))
  }

  #logOf(node: NodeName): string {
    return join(this.dir, node, 'commitlog')
  }

  #copyOf(node: NodeName): string {
    return join(this.dir, node, 'commitlog-before')
  }
}

const rowOf = (row: types.Row): CqlRow =>
  Object.fromEntries(row.keys().map((name: string) => [name, readValue(row[name] as unknown)]))
