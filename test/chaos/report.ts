import { textTable } from '../../sim/demo/text-table.ts'
import type { FaultCount } from './fault-count.ts'
import type { MemoryVerdict } from './memory.ts'

export type ReportRow = readonly [name: string, value: string]

/** How a run came out, whatever its target. */
export type Report = {
  readonly faults: FaultCount
  /** What happened, for whoever reads it. */
  readonly rows: readonly ReportRow[]
  readonly violations: readonly string[]
  /** What kept the run from saying anything: too few faults, a machine too slow. No fault of what was tested. */
  readonly shortfalls: readonly string[]
}

export const reportText = ({ faults, rows, violations }: Report): string => {
  const faultRows = [...faults.byKind]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, { applied, skipped }]) => [kind, `${applied}`, `${skipped}`])
  const all = [...rows, ['violations', `${violations.length}`] as const]
  return `${textTable(['fault', 'applied', 'skipped'], faultRows)}\n${textTable(
    ['', ''],
    all.map(row => [...row]),
  )}`
}

export const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`)

export const memoryText = ({ largestMb, quartersMb }: MemoryVerdict): string =>
  `${largestMb.toFixed(0)} MB at most; by quarters of the time under faults ${quartersMb.map(each => each.toFixed(0)).join(', ')}`

export const exitRows = (exits: ReadonlyMap<string, number>): readonly ReportRow[] =>
  [...exits].sort(([a], [b]) => (a < b ? -1 : 1)).map(([how, n]) => [`ended, ${how}`, `${n}`])
