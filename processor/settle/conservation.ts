import type { Barrier } from '../../core/events.ts'
import type { Pos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CqlPort, CqlRow } from '../../runtime/cql/port.ts'
import type { Log } from '../../runtime/log.ts'
import { settleLimits } from './limits.ts'
import type { SettleMetrics } from './settle-metrics.ts'

type OpenInterval = { readonly flow: ReadonlyMap<number, bigint>; readonly sinceMs: number; alarmed: boolean }

/**
 * Conservation while running: once every partition's row of a barrier is there, they add up to the external flow. It
 * proves that each change was read once. Done by the owner of partition 0 for all of them, oldest first.
 */
export class Conservation {
  readonly #options: {
    readonly cql: CqlPort
    readonly clock: Clock
    readonly log: Log
    readonly metrics: SettleMetrics
    readonly partitions: number
  }
  readonly #open = new Map<Pos, OpenInterval>()
  #broken = false

  constructor(options: {
    readonly cql: CqlPort
    readonly clock: Clock
    readonly log: Log
    readonly metrics: SettleMetrics
    readonly partitions: number
  }) {
    this.#options = options
  }

  /** Intervals that wait for their rows. */
  get open(): number {
    return this.#open.size
  }

  /** True once an interval did not add up. */
  get broken(): boolean {
    return this.#broken
  }

  /** A barrier of which this owner's own row is acknowledged. */
  add({ pos, flow }: Barrier): void {
    if (this.#open.size >= settleLimits.openIntervals) {
      const [oldest] = this.#open.keys()
      if (oldest !== undefined) this.#open.delete(oldest)
      this.#options.metrics.intervals.inc({ result: 'dropped' })
      this.#options.log.error(
        { pos: oldest },
        'too many intervals wait for their rows: the oldest is left to settle verify',
      )
    }
    const flows = new Map(flow.map(({ asset, amount }) => [asset as number, amount]))
    this.#open.set(pos, { flow: flows, sinceMs: this.#options.clock.monotonicMs(), alarmed: false })
  }

  /** Checks until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#options
    while (!signal.aborted) {
      await clock.sleep(settleLimits.intervalTurnMs, signal)
      if (signal.aborted) return
      try {
        await this.turn(signal)
      } catch (error) {
        if (signal.aborted) return
        metrics.errors.inc({ code: 'conservation-check' })
        log.error({ err: error }, 'conservation could not be checked; trying again')
      }
    }
  }

  /** Looks once at the oldest intervals. */
  async turn(signal?: AbortSignal): Promise<void> {
    const { metrics } = this.#options
    for (const [pos, interval] of [...this.#open].slice(0, settleLimits.intervalsPerTurn))
      await this.#check(pos, interval, signal)
    metrics.intervalsOpen.set(this.#open.size)
    const missing = [...this.#open.values()].some(each => each.alarmed)
    metrics.conservationAlarm.set(this.#broken || missing ? 1 : 0)
  }

  async #check(pos: Pos, interval: OpenInterval, signal?: AbortSignal): Promise<void> {
    const { cql, clock, log, metrics, partitions } = this.#options
    const rows = await cql.query('SELECT part, sums FROM intervals WHERE barrier_pos = ?', [pos], signal)
    if (rows.length < partitions) {
      const waitedMs = Math.round(clock.monotonicMs() - interval.sinceMs)
      if (interval.alarmed || waitedMs < settleLimits.intervalMissingMs) return
      interval.alarmed = true
      metrics.intervals.inc({ result: 'missing' })
      const there = new Set(rows.map(row => row['part']))
      const missing = Array.from({ length: partitions }, (_, part) => part).filter(part => !there.has(part))
      log.error({ pos, waitedMs, missing }, 'an interval still lacks rows: is every partition of user.outputs owned?')
      return
    }
    this.#open.delete(pos)
    const problems = unequal(addUp(rows), interval.flow)
    metrics.intervals.inc({ result: problems.length === 0 ? 'equal' : 'unequal' })
    if (problems.length === 0) return
    this.#broken = true
    metrics.errors.inc({ code: 'conservation' })
    log.error({ pos, problems }, 'money is not conserved in an interval: run settle verify before anything else')
  }
}

const addUp = (rows: readonly CqlRow[]): ReadonlyMap<number, bigint> => {
  const sums = new Map<number, bigint>()
  for (const row of rows)
    for (const [asset, sum] of (row['sums'] ?? new Map()) as ReadonlyMap<number, bigint>)
      sums.set(asset, (sums.get(asset) ?? 0n) + sum)
  return sums
}

const unequal = (sums: ReadonlyMap<number, bigint>, flow: ReadonlyMap<number, bigint>): string[] =>
  [...new Set([...sums.keys(), ...flow.keys()])]
    .filter(asset => (sums.get(asset) ?? 0n) !== (flow.get(asset) ?? 0n))
    .map(asset => `asset ${asset}: changes add ${sums.get(asset) ?? 0n}, the external flow is ${flow.get(asset) ?? 0n}`)
