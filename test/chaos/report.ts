import { textTable } from '../../sim/demo/text-table.ts'
import type { WorldCounts } from './bridge-world.ts'
import type { LogCheck } from './check-log.ts'
import type { FaultCount } from './fault-count.ts'
import type { MemoryVerdict } from './memory.ts'
import type { ChaosSettings } from './settings.ts'

export type Report = {
  readonly settings: ChaosSettings
  readonly dir: string
  readonly faults: FaultCount
  readonly rates: { readonly faultsPerMinute: number; readonly engine: number; readonly log: number }
  readonly memory: MemoryVerdict
  readonly engineMemory: MemoryVerdict
  readonly check: LogCheck
  readonly chaosMs: number
  readonly caughtUpMs: number | null
  readonly counts: WorldCounts
  readonly acks: number
  readonly exits: ReadonlyMap<string, number>
  readonly longestStallMs: number
  readonly violations: readonly string[]
}

const leastFaultsPerMinute = 60

/** What kept the run from saying anything: too few faults, too slow an engine. Not a fault of what was tested. */
export const shortfalls = ({ rates, settings }: Report): readonly string[] => [
  ...(rates.faultsPerMinute < leastFaultsPerMinute
    ? [`${rates.faultsPerMinute.toFixed(0)} faults a minute were applied, ${leastFaultsPerMinute} are needed`]
    : []),
  ...(rates.engine < settings.rate
    ? [`the engine made ${rates.engine.toFixed(0)} outputs a second, RATE asks for ${settings.rate}`]
    : []),
]

export const reportText = (report: Report): string => {
  const { faults, rates, memory, engineMemory, check, counts, settings } = report
  const faultRows = [...faults.byKind]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, { applied, skipped }]) => [kind, `${applied}`, `${skipped}`])
  const seconds = (ms: number | null): string => (ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`)
  const mb = ({ largestMb, quartersMb }: MemoryVerdict): string =>
    `${largestMb.toFixed(0)} MB at most; by quarters of the time under faults ${quartersMb.map(each => each.toFixed(0)).join(', ')}`
  const rows: [string, string][] = [
    ['seed', `${settings.seed}`],
    ['length', `${seconds(report.chaosMs)} of faults, caught up ${seconds(report.caughtUpMs)} after them`],
    ['faults applied', `${faults.applied}, ${rates.faultsPerMinute.toFixed(0)} a minute`],
    ['outputs of the engine', `${counts.outputs}, ${rates.engine.toFixed(0)} a second under faults`],
    ['outputs in the log', `${check.counts.outputs}, ${rates.log.toFixed(0)} a second until caught up`],
    ['other records in the log', `${check.counts.sessions} Sessions, ${check.counts.ticks} Ticks`],
    ['ACKs', `${report.acks}; at ${counts.audits} of them everything was frozen and the log asked`],
    ['sessions of the engine', `${counts.sessions}`],
    ['terms of the bridges', `${counts.terms}`],
    ['starts', `${counts.bridgeStarts} of bridges, ${counts.engineStarts} of the engine`],
    ['longest standstill of the log', seconds(report.longestStallMs)],
    ['memory of a bridge', mb(memory)],
    ['memory of the engine', mb(engineMemory)],
    ...[...report.exits]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([how, n]): [string, string] => [`ended, ${how}`, `${n}`]),
    ['violations', `${report.violations.length}`],
  ]
  return `${textTable(['fault', 'applied', 'skipped'], faultRows)}\n${textTable(['', ''], rows)}`
}
