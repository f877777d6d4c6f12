import { errors, types } from 'cassandra-driver'
import type { Clock } from '../../clock.ts'
import { consistency } from '../consistency.ts'
import type { CqlParam, CqlRow } from '../port.ts'
import type { Mutation } from './cql-text.ts'
import { MemoryNode } from './memory-node.ts'
import { type MemoryTables, sameRow, select } from './memory-tables.ts'

/** A request's way to its coordinator and back. `lost`: nobody hears more of it, whether it had an effect or not. */
type CqlDelivery = 'delivered' | 'request-lost' | 'answer-lost'

export type MemoryClusterOptions = {
  readonly clock: Clock
  readonly replicas?: number
  readonly network?: (request: {
    readonly client: string
    readonly kind: 'read' | 'write' | 'generation'
  }) => CqlDelivery
  /** Of the way to the coordinator, and again of the way back. */
  readonly latencyMs?: (client: string) => number
  /** How long a write takes to one replica; null: it never arrives there. */
  readonly replicaMs?: (client: string) => number | null
  /** The order in which replicas that are up are asked; a quorum of them answers. */
  readonly readOrder?: <T>(replicas: readonly T[]) => readonly T[]
  /** Whether replicas that differ in a read are made equal before the answer. */
  readonly readRepair?: () => boolean
  /** After which the coordinator answers that too few replicas did. */
  readonly writeTimeoutMs?: number
  /** After which the client gives a request up. */
  readonly requestTimeoutMs?: number
  /** Commit-log sync period. */
  readonly syncMs?: number
  /** Sees each write when a replica takes it. */
  readonly onApply?: (applied: {
    readonly client: string
    readonly node: MemoryNode
    readonly mutation: Mutation
  }) => void
  /** Sees each write before it is sent to any replica. */
  readonly onWrite?: (client: string, mutations: readonly Mutation[]) => void
  readonly onRead?: (client: string, cql: string, params: readonly CqlParam[]) => void
  /** Told when a replica of a read quorum lacked something, and whether that was mended. */
  readonly onStaleRead?: (client: string, then: 'repaired' | 'left') => void
  readonly onTie?: (what: string) => void
}

const { responseErrorCodes: codes, consistencies } = types

/** A cluster of replicas in memory, each a whole copy, read and written as the real port asks; it does nothing else. */
export class MemoryCluster {
  readonly options: Required<MemoryClusterOptions>
  readonly nodes: readonly MemoryNode[]
  /** What each row was given at each timestamp. */
  readonly #given = new Map<string, string>()

  constructor(options: MemoryClusterOptions) {
    this.options = {
      replicas: 3,
      network: () => 'delivered',
      latencyMs: () => 0,
      replicaMs: () => 0,
      readOrder: replicas => replicas,
      readRepair: () => true,
      writeTimeoutMs: 2000,
      requestTimeoutMs: 12_000,
      syncMs: 10_000,
      onApply: () => {},
      onWrite: () => {},
      onRead: () => {},
      onStaleRead: () => {},
      onTie: () => {},
      ...options,
    }
    const { replicas } = this.options
    this.nodes = Array.from(
      { length: replicas },
      (_, at) => new MemoryNode({ name: `node-${at + 1}`, generation: this.nowS }),
    )
  }

  get nowS(): number {
    return Number(this.options.clock.nowUs() / 1_000_000n)
  }

  /** So many replicas have to answer. */
  #enough(level: number): number {
    return level === consistencies.localOne ? 1 : Math.floor(this.nodes.length / 2) + 1
  }

  /** One partition's writes, whole on each replica that takes them. @throws errors of the driver */
  write(client: string, mutations: readonly Mutation[]): Promise<void> {
    for (const mutation of mutations) this.#checkTie(mutation)
    return this.#serve(client, 'write', async () => {
      const { clock, replicaMs, writeTimeoutMs, onWrite } = this.options
      onWrite(client, mutations)
      const up = this.nodes.filter(node => node.isUp)
      let left = this.#enough(consistency.write)
      if (up.length < left) throw response(codes.unavailableException, 'too few replicas are up')
      const enough = Promise.withResolvers<void>()
      for (const node of up)
        void this.#reach(client, node, mutations, replicaMs(client)).then(taken => {
          if (taken && --left === 0) enough.resolve()
        })
      const waited = new AbortController()
      await Promise.race([enough.promise, clock.sleep(writeTimeoutMs, waited.signal)])
      // A reason of our own: the standard one has a stack, which costs more than all the rest.
      waited.abort('over')
      if (left > 0) throw response(codes.writeTimeout, `${left} replicas too few have written`)
    })
  }

  /** Replicas could not agree on two values at one timestamp: no writer may ever send them, wherever they arrive. */
  #checkTie({ table, partition, row, timestamp, columns }: Mutation): void {
    const key = `${table} ${partition}${row} at ${timestamp}`
    const text = columns?.map(each => `${each.name}=${each.text}`).join() ?? 'deleted'
    const before = this.#given.get(key)
    if (before !== undefined && before !== text) this.options.onTie(`${key}: ${before} and ${text}`)
    this.#given.set(key, text)
  }

  /** Whether the replica has taken it: it may have gone down meanwhile. */
  async #reach(client: string, node: MemoryNode, mutations: readonly Mutation[], ms: number | null): Promise<boolean> {
    if (ms === null) return false
    if (ms > 0) await this.options.clock.sleep(ms)
    if (!node.isUp) return false
    for (const mutation of mutations) {
      node.apply(mutation)
      this.options.onApply({ client, node, mutation })
    }
    return true
  }

  read(client: string, cql: string, params: readonly CqlParam[]): Promise<readonly CqlRow[]> {
    return this.#serve(client, 'read', () => {
      const up = this.nodes.filter(node => node.isUp)
      const enough = this.#enough(consistency.read)
      if (up.length < enough) throw response(codes.unavailableException, 'too few replicas are up')
      const asked = this.options.readOrder(up).slice(0, enough)
      const tables = asked.map(node => node.tables)
      const { rows, table, partitions } = select(tables, cql, params)
      const differ = differingRows(tables, table, partitions)
      this.options.onRead(client, cql, params)
      if (differ.length > 0) {
        const repairs = this.options.readRepair()
        this.options.onStaleRead(client, repairs ? 'repaired' : 'left')
        if (repairs) for (const { partition, id } of differ) repair(asked, table, partition, id)
      }
      return rows
    })
  }

  /** A node's own word; null when it does not answer. */
  async generation(client: string, node: MemoryNode): Promise<number | null> {
    const { clock, latencyMs, network } = this.options
    const ms = latencyMs(client)
    if (ms > 0) await clock.sleep(ms)
    return node.isUp && network({ client, kind: 'generation' }) === 'delivered' ? node.generation : null
  }

  async #serve<T>(client: string, kind: 'read' | 'write', effect: () => T | Promise<T>): Promise<T> {
    const { clock, latencyMs, network, requestTimeoutMs } = this.options
    const travel = async (): Promise<void> => {
      const ms = latencyMs(client)
      if (ms > 0) await clock.sleep(ms)
    }
    const lost = async (): Promise<never> => {
      await clock.sleep(requestTimeoutMs)
      throw new errors.OperationTimedOutError(`${kind}: no answer within ${requestTimeoutMs} ms`)
    }
    await travel()
    const delivery = network({ client, kind })
    if (delivery === 'request-lost') return await lost()
    const answer = await effect()
    if (delivery === 'answer-lost') return await lost()
    await travel()
    return answer
  }
}

const response = (code: number, message: string): Error => {
  // The driver's types leave the constructor out.
  const ResponseError = errors.ResponseError as unknown as new (code: number, message: string) => Error
  return new ResponseError(code, `${message} (consistency ${consistencies.localQuorum})`)
}

const differingRows = (
  replicas: readonly MemoryTables[],
  table: string,
  partitions: readonly string[],
): { readonly partition: string; readonly id: string }[] => {
  const [first, ...others] = replicas
  if (!first) return []
  return partitions.flatMap(partition => {
    const ids = new Set(replicas.flatMap(replica => [...(replica.partition(table, partition)?.keys() ?? [])]))
    return [...ids]
      .filter(id => {
        const row = first.row(table, partition, id)
        return others.some(other => !sameRow(row, other.row(table, partition, id)))
      })
      .map(id => ({ partition, id }))
  })
}

const repair = (nodes: readonly MemoryNode[], table: string, partition: string, id: string): void => {
  const rows = nodes.map(node => node.tables.row(table, partition, id))
  for (const node of nodes) for (const row of rows) if (row) node.repair(table, partition, id, row)
}
