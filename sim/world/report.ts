import Table from 'cli-table3'
import { sometimes } from './sometimes.ts'
import { lineText, type TraceLine } from './trace.ts'
import type { WorkerAnswer } from './worker.ts'

/** Below so many seeds a state that was not reached proves nothing. */
const seedsForSometimes = 200
const linesShown = 60

/** Adds up what the seeds of one run were like. */
export class Report {
  readonly #reached = new Map<string, { times: number; seeds: number }>()
  readonly #faults = new Map<string, number>()
  #seeds = 0
  #outputs = 0
  #virtualMs = 0
  #cpuS = 0

  add({ reached, faults, outputs, virtualMs, cpuS }: WorkerAnswer): void {
    this.#seeds++
    this.#outputs += outputs
    this.#virtualMs += virtualMs
    this.#cpuS += cpuS
    for (const [kind, count] of faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count)
    for (const [state, count] of reached) {
      const { times = 0, seeds = 0 } = this.#reached.get(state) ?? {}
      this.#reached.set(state, { times: times + count, seeds: seeds + 1 })
    }
  }

  /** States that so many seeds should have reached, and did not. */
  get neverReached(): readonly string[] {
    return this.#seeds < seedsForSometimes ? [] : sometimes.filter(state => !this.#reached.has(state))
  }

  text(elapsedS: number): string {
    const faults = table(['fault', 'times'])
    for (const [kind, count] of [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1))) faults.push([kind, count])
    const states = table(['sometimes', 'times', 'seeds'])
    for (const state of sometimes) {
      const { times = 0, seeds = 0 } = this.#reached.get(state) ?? {}
      states.push([state, times, seeds])
    }
    const rate = (this.#seeds / elapsedS).toFixed(1)
    const each = (this.#cpuS / this.#seeds).toFixed(2)
    return [
      faults.toString(),
      states.toString(),
      `${this.#seeds} seeds in ${elapsedS.toFixed(0)} s: ${rate} seeds/s, ${each} CPU-s a seed; ` +
        `${this.#outputs} outputs in ${(this.#virtualMs / 3_600_000).toFixed(1)} h of the world's time`,
    ].join('\n')
  }
}

const table = (head: string[]): Table.Table =>
  new Table({ head, style: { head: [], border: [], compact: true }, colAligns: ['left', 'right', 'right'] })

/** What happened last in a seed, and what was wrong. */
export const violationText = ({ seed, violations, lines }: WorkerAnswer): string =>
  [
    ...shortTrace(lines).map(lineText),
    ...violations.slice(0, 5).map(({ check, text }) => `VIOLATION ${check}: ${text}`),
    ...(violations.length > 5 ? [`and ${violations.length - 5} more`] : []),
    `again, with its whole trace: make sim SEED=${seed}`,
  ].join('\n')

/** The last lines, without the chatter that a person can do without. */
const shortTrace = (lines: readonly TraceLine[]): readonly TraceLine[] =>
  lines.filter(({ who, text }) => who !== 'CHECK' && !chatter.test(text)).slice(-linesShown)

const chatter = /did not acknowledge|fetch failed|asking again|settle commits/
