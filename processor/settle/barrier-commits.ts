import type { Clock } from '../../runtime/clock.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import type { Log } from '../../runtime/log.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { ReopenPartition } from '../../runtime/reader/reader.ts'
import { CommitGate } from './commit-gate.ts'
import { settleLimits } from './limits.ts'
import { nodeChange, type NodeStates, type NodeWatch } from './node-watch.ts'
import type { SettleMetrics } from './settle-metrics.ts'

type BarrierCommitsOptions = {
  readonly partition: number
  readonly commit: (progress: Progress) => Promise<void>
  readonly watch: NodeWatch
  readonly clock: Clock
  readonly log: Log
  readonly metrics: SettleMetrics
  /** From a barrier's acknowledgement to its commit: the store's sync period and a margin. */
  readonly holdMs: number
  readonly commitIntervalMs: number
}

/**
 * Commits one partition's offset: at barriers only, once the store has synced what was acknowledged, and only when each
 * of its nodes still lives the life that it lived before the writes.
 */
export class BarrierCommits {
  readonly #options: BarrierCommitsOptions
  readonly #gate: CommitGate
  /** The nodes' lives before the oldest write that is not committed. */
  #nodes: NodeStates
  /** n of the last barrier read, and since when one waits for its commit. */
  #lastRead = 0n
  #waitingSinceMs: number | null = null
  #stalled = false

  private constructor(options: BarrierCommitsOptions, nodes: NodeStates) {
    this.#options = options
    this.#gate = new CommitGate({ holdMs: options.holdMs })
    this.#nodes = nodes
  }

  /** Before the partition's first write: a node's restart after it will be seen. */
  static async open(options: BarrierCommitsOptions): Promise<BarrierCommits> {
    return new BarrierCommits(options, await options.watch.statesSince(options.clock.monotonicMs()))
  }

  /** Barriers acknowledged and not committed. */
  get held(): number {
    return this.#gate.held
  }

  /** A barrier was read; its writes are on their way. */
  read(n: bigint): void {
    this.#lastRead = n
    this.#waitingSinceMs ??= this.#options.clock.monotonicMs()
  }

  /**
   * Resolves when what was read from the store by now is the last word: no node has lost what it had acknowledged. What
   * follows from a state that a loss of power took back would stay in the store, and be found by whoever reads again.
   * @throws ReopenPartition when a node has another life, or stopped answering
   */
  async proveReads(): Promise<void> {
    const { watch, clock } = this.#options
    this.#checkLives(await watch.statesSince(clock.monotonicMs()), 'reads may be stale')
  }

  /** All writes up to this barrier are acknowledged. */
  acknowledged(progress: Progress): void {
    const { clock, metrics, partition } = this.#options
    this.#gate.acknowledged(progress, clock.monotonicMs())
    metrics.held.set({ partition }, this.#gate.held)
  }

  /**
   * Commits what is due, again and again, until the signal is aborted: by a timer, so that the last barrier before a
   * silence is committed too. Rejects with ReopenPartition when writes may be lost.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, commitIntervalMs } = this.#options
    for (;;) {
      await clock.sleep(commitIntervalMs, signal)
      if (signal.aborted) return
      await this.#hearNodes()
      await this.#commitDue(signal)
      this.#watchStall()
    }
  }

  /**
   * A node that was silent before the writes and answers now may take some of them: from here on it counts as one that
   * answered. Looked at between commits, or one that comes and goes would seem to have been silent all along.
   */
  async #hearNodes(): Promise<void> {
    const { watch, clock } = this.#options
    const now = await watch.statesSince(clock.monotonicMs())
    this.#nodes = new Map(
      [...this.#nodes].map(([node, was]) => [
        node,
        { ...was, answered: was.answered || (now.get(node)?.answered ?? false) },
      ]),
    )
  }

  async #commitDue(signal: AbortSignal): Promise<void> {
    const { clock, watch, commit, log, metrics, partition } = this.#options
    const due = this.#gate.due(clock.monotonicMs())
    if (!due) return
    // Asked after the hold was over: a node that lives the same life as before the writes has synced them.
    const nodes = await watch.statesSince(due.sinceMs)
    this.#checkLives(nodes, 'writes may be lost')
    this.#nodes = nodes
    if (signal.aborted) return
    try {
      await commit(due.progress)
    } catch (error) {
      if (!(error instanceof KafkaFailure) || (error.kind !== 'retriable' && error.kind !== 'unknown')) throw error
      metrics.errors.inc({ code: `commit-${error.kind}` })
      log.warn({ err: error, partition }, 'offset not committed; trying again')
      return
    }
    this.#gate.passed(due.progress)
    this.#waitingSinceMs = due.progress.n < this.#lastRead ? clock.monotonicMs() : null
    metrics.committedPos.set({ partition }, Number(due.progress.pos))
    metrics.held.set({ partition }, this.#gate.held)
  }

  #checkLives(nodes: NodeStates, doubt: string): void {
    const change = nodeChange(this.#nodes, nodes)
    if (change !== null) throw new ReopenPartition(`${change} while barriers were not committed: ${doubt}`)
  }

  #watchStall(): void {
    const { clock, metrics, log, partition, holdMs } = this.#options
    const waitedMs = this.#waitingSinceMs === null ? 0 : clock.monotonicMs() - this.#waitingSinceMs
    const stalled = waitedMs > holdMs + settleLimits.commitStallMs
    if (stalled && !this.#stalled)
      log.error({ partition, waitedMs: Math.round(waitedMs) }, 'no barrier could be committed for long')
    this.#stalled = stalled
    metrics.stalled.set({ partition }, stalled ? 1 : 0)
  }
}
