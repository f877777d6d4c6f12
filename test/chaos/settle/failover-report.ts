import { type ReportRow, seconds } from '../report.ts'
import { barMs, type Failover, median, slowest } from './failovers.ts'

/** A median of fewer undisturbed ones says little. */
const leastUndisturbed = 5

/**
 * `violations`: a partition that nobody took, whatever disturbed it. `shortfalls`: too slow, which a busy machine can
 * be, or too few to say so. The bar is for fail-overs, not for several faults in a row: for those that nothing disturbed.
 */
export const judgeFailovers = (
  failovers: readonly Failover[],
): { readonly violations: readonly string[]; readonly shortfalls: readonly string[] } => {
  const violations = failovers.flatMap(({ process, atMs, partitions }) =>
    [...partitions].flatMap(([partition, ms]) =>
      ms === null
        ? [`partition ${partition} was never written again after ${process} was killed at ${seconds(atMs)}`]
        : [],
    ),
  )
  const times = timesOf(failovers.filter(isUndisturbed))
  const middle = median(times)
  const shortfalls = [
    times.length >= leastUndisturbed ||
      `${times.length} fail-overs were undisturbed, ${leastUndisturbed} are needed for a median`,
    middle === null ||
      middle < barMs ||
      `the median undisturbed fail-over took ${seconds(middle)}, it must be below ${seconds(barMs)}`,
  ].filter(problem => problem !== true)
  return { violations, shortfalls }
}

export const failoverRows = (failovers: readonly Failover[]): readonly ReportRow[] => [
  ['fail-overs after SIGKILL, undisturbed', summary(timesOf(failovers.filter(isUndisturbed)))],
  ['fail-overs after SIGKILL, all', summary(timesOf(failovers))],
  ['each, its slowest partition (*: disturbed)', failovers.map(shown).join(' ')],
  ...failovers
    .filter(each => !isUndisturbed(each))
    .map(each => [`${each.process} killed at ${seconds(each.atMs)}`, `${shown(each)} ${disturbances(each)}`] as const),
  [
    'single partitions',
    summary(failovers.flatMap(({ partitions }) => [...partitions.values()].filter(ms => ms !== null))),
  ],
]

/** Each of them, partition by partition. */
export const failoverText = (failovers: readonly Failover[]): string =>
  failovers
    .map(each => {
      const partitions = [...each.partitions].map(([partition, ms]) => `${partition}: ${seconds(ms)}`)
      const disturbed = isUndisturbed(each) ? 'undisturbed' : `disturbed: ${disturbances(each)}`
      return `${each.process} killed at ${seconds(each.atMs)}; written again: ${partitions.join(', ')}; ${disturbed}\n`
    })
    .join('')

const isUndisturbed = ({ disturbedBy }: Failover): boolean => disturbedBy.size === 0

const disturbances = ({ disturbedBy }: Failover): string => [...disturbedBy].join(', ')

const shown = (failover: Failover): string => {
  const ms = slowest(failover)
  return `${ms === null ? 'never' : (ms / 1000).toFixed(1)}${isUndisturbed(failover) ? '' : '*'}`
}

const summary = (times: readonly number[]): string =>
  times.length === 0
    ? 'none'
    : `${times.length}, median ${seconds(median(times))}, longest ${seconds(Math.max(...times))}`

const timesOf = (failovers: readonly Failover[]): readonly number[] => failovers.map(slowest).filter(ms => ms !== null)
