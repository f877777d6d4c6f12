import type { CqlParam, CqlValue } from '../../../runtime/cql/port.ts'
import type { Mutation } from '../../../runtime/cql/testing/cql-text.ts'
import type { MemoryNode } from '../../../runtime/cql/testing/memory-node.ts'
import type { World } from '../world.ts'

type Applied = { readonly client: string; readonly node: MemoryNode; readonly mutation: Mutation }

/** Where a history row or a cell stands. */
const rowKey = (user: CqlValue, pos: CqlValue): string => `${user as bigint} ${pos as bigint}`

/**
 * Looks at each write on its way into the store. A cell must be what the engine had at that version, wherever it comes
 * from and however late, and its history must have been written before it is sent.
 */
export class StoreWatch {
  readonly #world: World
  /** Nodes that ever took a user's history row of a pos. */
  readonly #history = new Map<string, Set<MemoryNode>>()
  /** Nodes that have it on their disks, and the newest version of a cell that each has there. */
  readonly #durableHistory = new Map<string, Set<MemoryNode>>()
  readonly #durableCells = new Map<string, Map<MemoryNode, bigint>>()
  /** Who sent a cell's value first. */
  readonly #senders = new Map<string, string>()
  readonly #loads = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  /** A write leaves a client. */
  sent(client: string, mutations: readonly Mutation[]): void {
    const { world } = this
    if (world.fleet.isZombie(client)) world.reach('a former owner wrote to the store')
    for (const { table, key, timestamp, columns } of mutations) {
      if (table !== 'balances') continue
      const [available, frozen, version, at] = cellOf(columns)
      const name = `user ${key['user_id'] as bigint}, asset ${key['asset'] as number}, version ${version}`
      if (at !== timestamp)
        world.violate('a cell carries its own pos', `${name}: pos ${at}, written at ${timestamp}, by ${client}`)
      const truth = world.engine.truth.at(key['user_id'] as bigint, key['asset'] as number, version)
      if (truth?.available !== available || truth.frozen !== frozen)
        world.violate(
          'a cell is what the engine had',
          `${name}: ${available}/${frozen}, the engine had ${truth ? `${truth.available}/${truth.frozen}` : 'no such version'}; by ${client}`,
        )
      const acknowledged = this.#history.get(rowKey(key['user_id'] ?? null, at))?.size ?? 0
      if (acknowledged < 2 && !world.parking.isRedrive(key['user_id'] as bigint, at))
        world.violate(
          'a balance has its history',
          `${name} at pos ${at} was sent before its history was acknowledged, by ${client}`,
        )
    }
  }

  /** A replica has taken a write. */
  applied({ client, node, mutation }: Applied): void {
    const { world } = this
    const { table, partition, row, key, timestamp, columns } = mutation
    if (table === 'history') add(this.#history, rowKey(key['user_id'] ?? null, key['pos'] ?? null), node)
    if (table !== 'balances') return
    const id = `${partition}${row} ${timestamp}`
    const first = this.#senders.get(id)
    if (first === undefined) this.#senders.set(id, client)
    const now = node.tables.row(table, partition, row)?.columns.get('bal')
    if (now && now.timestamp > timestamp) world.reach('a late write lost to a newer one')
    const having = world.cluster.nodes.filter(
      each => each.tables.row(table, partition, row)?.columns.get('bal')?.timestamp === timestamp,
    )
    if (first !== undefined && first !== client && having.length === 2 && columns)
      world.reach('a cell that one replica had was asserted by its next reader')
  }

  /** A replica has brought a write to its disk. */
  synced(node: MemoryNode, { table, key, columns }: Mutation): void {
    if (table === 'history') add(this.#durableHistory, rowKey(key['user_id'] ?? null, key['pos'] ?? null), node)
    if (table !== 'balances') return
    const id = rowKey(key['user_id'] ?? null, key['asset'] ?? null)
    const versions = this.#durableCells.get(id) ?? new Map<MemoryNode, bigint>()
    const [, , version] = cellOf(columns)
    if (version > (versions.get(node) ?? 0n)) versions.set(node, version)
    this.#durableCells.set(id, versions)
  }

  /** Whether no loss of power can take a user's history of a pos any more. */
  hasDurableHistory(user: bigint, pos: bigint): boolean {
    return (this.#durableHistory.get(rowKey(user, pos))?.size ?? 0) >= 2
  }

  /** The version of a cell that no loss of power can take back. */
  durableVersion(user: bigint, asset: number): bigint {
    const [, second = 0n] = [...(this.#durableCells.get(rowKey(user, asset))?.values() ?? [])].sort((a, b) =>
      a > b ? -1 : 1,
    )
    return second
  }

  /** A client reads. */
  read(client: string, cql: string, params: readonly CqlParam[]): void {
    if (!cql.startsWith('SELECT asset, bal FROM balances')) return
    const load = `${client} ${params[0] as bigint}`
    if (this.#loads.has(load)) this.#world.reach('a wallet was evicted and loaded again')
    this.#loads.add(load)
  }

  /** A client has thrown its cache away. */
  forgetLoads(client: string): void {
    for (const load of this.#loads) if (load.startsWith(`${client} `)) this.#loads.delete(load)
  }

  get world(): World {
    return this.#world
  }
}

const add = (sets: Map<string, Set<MemoryNode>>, key: string, node: MemoryNode): void => {
  const nodes = sets.get(key) ?? new Set()
  nodes.add(node)
  sets.set(key, nodes)
}

const cellOf = (columns: Mutation['columns']): readonly [bigint, bigint, bigint, bigint] => {
  const bal = columns?.find(({ name }) => name === 'bal')?.value
  return bal as readonly [bigint, bigint, bigint, bigint]
}
