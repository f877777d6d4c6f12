import type { CqlPort } from '../../runtime/cql/port.ts'
import type { Clock } from '../../runtime/clock.ts'

/** A node of the store as last seen: its start generation (null: never told), and whether it answered this time. */
type NodeState = { readonly generation: number | null; readonly answered: boolean }
export type NodeStates = ReadonlyMap<string, NodeState>

/**
 * The store's nodes and their lives, asked on behalf of all partitions. A node that restarted may have lost writes it
 * had acknowledged, since its commit log is synced only now and then.
 */
export class NodeWatch {
  readonly #cql: CqlPort
  readonly #clock: Clock
  #last: NodeStates = new Map()
  #asking: { readonly startedMs: number; readonly states: Promise<NodeStates> } | null = null

  constructor({ cql, clock }: { readonly cql: CqlPort; readonly clock: Clock }) {
    this.#cql = cql
    this.#clock = clock
  }

  /** The nodes as they answered a question that was asked at or after that moment (`monotonicMs`). */
  async statesSince(sinceMs: number): Promise<NodeStates> {
    // Questions of several partitions are one, as long as it is asked late enough for each.
    if (!this.#asking || this.#asking.startedMs < sinceMs)
      this.#asking = { startedMs: this.#clock.monotonicMs(), states: this.#ask() }
    const asking = this.#asking
    try {
      return await asking.states
    } catch (error) {
      if (this.#asking === asking) this.#asking = null
      throw error
    }
  }

  async #ask(): Promise<NodeStates> {
    const generations = await this.#cql.nodeGenerations()
    const before = this.#last
    this.#last = new Map(
      [...generations].map(([node, generation]) => [
        node,
        // What a silent node said before it fell silent tells, once it is back, whether it restarted meanwhile.
        { generation: generation ?? before.get(node)?.generation ?? null, answered: generation !== null },
      ]),
    )
    return this.#last
  }
}

/**
 * Why writes acknowledged since `before` may be lost, or null. Only a change counts: a node that stays silent lost
 * nothing more.
 */
export const nodeChange = (before: NodeStates, now: NodeStates): string | null => {
  for (const [node, was] of before) {
    const is = now.get(node)
    if (!is) return `node ${node} left the cluster`
    if (is.generation !== was.generation)
      return `node ${node} restarted: generation ${is.generation}, was ${was.generation}`
    if (was.answered && !is.answered) return `node ${node} stopped answering`
  }
  for (const node of now.keys()) if (!before.has(node)) return `node ${node} joined the cluster`
  return null
}
