import type { Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import { encodeStatement } from '../encode-statement.ts'
import { cqlLimits } from '../limits.ts'
import {
  CqlFailure,
  type CqlParam,
  type CqlPort,
  type CqlRow,
  type CqlStatement,
  type NodeGenerations,
} from '../port.ts'
import { SendAgain } from '../send-again.ts'
import { splitBatches } from '../split-batches.ts'
import { type Mutation, mutationOf } from './cql-text.ts'
import type { MemoryCluster } from './memory-cluster.ts'
import type { MemoryNode } from './memory-node.ts'
import { scanAtOnce } from './scan-at-once.ts'

export type MemoryCqlOptions = {
  readonly cluster: MemoryCluster
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  readonly inFlight?: number
  /** Before anything goes out, and before its answer is heard: a process that is stopped does neither. */
  readonly awake?: () => Promise<void>
  readonly onRetry?: (code: string) => void
}

/** One process's way to a cluster in memory: what is sent again, how often and in which batches is the real port's. */
export class MemoryCql implements CqlPort {
  readonly #options: MemoryCqlOptions
  readonly #again: SendAgain

  constructor(options: MemoryCqlOptions) {
    this.#options = options
    const { inFlight = 128 } = options
    this.#again = new SendAgain({ ...options, inFlight })
  }

  async query(cql: string, params: readonly CqlParam[] = [], signal?: AbortSignal): Promise<readonly CqlRow[]> {
    const { cluster, name } = this.#options
    encodeStatement({ cql, params })
    return await this.#ask(signal, cql, () => cluster.read(name, cql, params))
  }

  scan(...asked: Parameters<CqlPort['scan']>): AsyncIterable<CqlRow> {
    return scanAtOnce(this, asked)
  }

  async write(statements: readonly CqlStatement[], signal?: AbortSignal): Promise<void> {
    const { cluster, name } = this.#options
    const sized = statements.map(({ cql, params }) => ({
      cql,
      params: [...params],
      bytes: encodeStatement({ cql, params }).bytes,
    }))
    await Promise.all(
      splitBatches(sized).map(async batch => {
        const what = batch[0]?.cql ?? ''
        const mutations = batch.map(mutationOf)
        checkOnePartition(mutations)
        await this.#ask(signal, what, () => cluster.write(name, mutations))
      }),
    )
  }

  /** Its values stay to be looked at. */
  pack(statement: CqlStatement): CqlStatement {
    encodeStatement(statement)
    return statement
  }

  define(): Promise<void> {
    return Promise.reject(new CqlFailure('refused', 'syntax', 'the store in memory has its tables already'))
  }

  async nodeGenerations(): Promise<NodeGenerations> {
    const { nodes } = this.#options.cluster
    return new Map(await Promise.all(nodes.map(async node => [node.name, await this.#generationOf(node)] as const)))
  }

  async #generationOf(node: MemoryNode): Promise<number | null> {
    const { cluster, name, clock } = this.#options
    for (let attempt = 1; attempt <= cqlLimits.generationAttempts; attempt++) {
      await this.#awake()
      const generation = await cluster.generation(name, node)
      await this.#awake()
      if (generation !== null) return generation
      await clock.sleep(cqlLimits.firstRetryMs)
    }
    return null
  }

  commitLogSyncMs(): Promise<number | null> {
    return Promise.resolve(this.#options.cluster.options.syncMs)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #ask<T>(signal: AbortSignal | undefined, what: string, request: () => Promise<T>): Promise<T> {
    return this.#again.until(signal, what, async () => {
      await this.#awake()
      try {
        return await request()
      } finally {
        await this.#awake()
      }
    })
  }

  #awake(): Promise<void> {
    return this.#options.awake?.() ?? Promise.resolve()
  }
}

/** A batch of several partitions would not be whole on each replica. */
const checkOnePartition = (mutations: readonly Mutation[]): void => {
  const [first] = mutations
  for (const { table, partition } of mutations)
    if (partition !== first?.partition && valuesOf(partition) !== valuesOf(first?.partition ?? ''))
      throw new CqlFailure(
        'refused',
        'invalid',
        `one write to two partitions: ${first?.table} ${first?.partition} and ${table} ${partition}`,
      )
}

const valuesOf = (partition: string): string => Object.values(JSON.parse(partition) as object).join('/')
