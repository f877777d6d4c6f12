import { Counter, Gauge, type Registry } from 'prom-client'
import type { ArchiveTopic } from '../../schemas/archive/archive-tables.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { ArchivedRow } from './window-writer.ts'

/** What one partition reports, for as long as it is owned here. */
export type PartitionGauge = {
  took(batch: { readonly records: number; readonly rows: readonly ArchivedRow[]; readonly pos: bigint }): void
  /** A window is final and its offset committed; `pos` is of its last record. */
  sealed(pos: bigint): void
  released(): void
}

/** Where a partition stands, as /healthz shows it; 0 before the first. */
export type PartitionStand = { readonly takenPos: bigint; readonly archivedPos: bigint }

const loopStates = ['starting', 'running', 'stopped', 'failed'] as const
export type LoopState = (typeof loopStates)[number]

/** The service's metrics, and the numbers behind its health. */
export class ArchiveMetrics {
  readonly #clock: Clock
  readonly #stands = new Map<string, PartitionStand>()
  readonly #records: Counter
  readonly #rows: Counter
  readonly #windows: Counter
  readonly #errors: Counter
  readonly #state: Gauge

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock
    const registers = [registry]
    const labelNames = ['topic', 'partition'] as const
    const counter = (name: string, help: string, labels: readonly string[]): Counter =>
      new Counter({ name: `settle_archive_${name}`, help, labelNames: [...labels], registers })
    this.#records = counter('records_total', 'Records taken', ['topic'])
    this.#rows = counter('rows_total', 'Rows written to files, finished or not', ['table'])
    this.#windows = counter('windows_total', 'Windows passed, with their offset committed', ['topic'])
    this.#errors = counter('errors_total', 'Why the service ended', ['code'])
    this.#state = new Gauge({
      name: 'settle_archive_state',
      help: 'Loop state: 1 for the one it is in',
      labelNames: ['state'],
      registers,
    })
    const stands = this.#stands
    const gauge = (name: string, help: string, value: (stand: PartitionStand) => number): Gauge =>
      new Gauge({
        name: `settle_archive_${name}`,
        help,
        labelNames,
        registers,
        collect() {
          this.reset()
          for (const [key, stand] of stands) {
            const [topic, partition] = key.split('/') as [string, string]
            this.set({ topic, partition }, value(stand))
          }
        },
      })
    gauge('last_pos', 'pos (µs) of the last record taken', ({ takenPos }) => Number(takenPos))
    gauge('archived_pos', 'pos (µs) of the last record whose window is final', ({ archivedPos }) => Number(archivedPos))
    gauge('lag_seconds', 'Age of the last record taken', ({ takenPos }) => this.#ageS(takenPos))
    gauge('archived_lag_seconds', 'Age of the last record whose window is final', ({ archivedPos }) =>
      this.#ageS(archivedPos),
    )
  }

  /** A partition is owned from here on, until its gauge is released. */
  partition(topic: ArchiveTopic, partition: number, startPos: bigint): PartitionGauge {
    const key = `${topic}/${partition}`
    this.#stands.set(key, { takenPos: startPos, archivedPos: startPos })
    return {
      took: ({ records, rows, pos }) => {
        this.#records.inc({ topic }, records)
        for (const { table } of rows) this.#rows.inc({ table })
        this.#stands.set(key, { archivedPos: this.#stands.get(key)?.archivedPos ?? startPos, takenPos: pos })
      },
      sealed: pos => {
        this.#windows.inc({ topic })
        this.#stands.set(key, { takenPos: this.#stands.get(key)?.takenPos ?? pos, archivedPos: pos })
      },
      released: () => {
        this.#stands.delete(key)
      },
    }
  }

  /** Partitions owned now, by `topic/partition`. */
  get stands(): Readonly<Record<string, PartitionStand>> {
    return Object.fromEntries(this.#stands)
  }

  state(now: LoopState): void {
    for (const state of loopStates) this.#state.set({ state }, state === now ? 1 : 0)
  }

  failed(code: string): void {
    this.#errors.inc({ code })
  }

  #ageS(pos: bigint): number {
    return pos === 0n ? 0 : Number(this.#clock.nowUs() - pos) / 1e6
  }
}
