import { type ReportRow, seconds } from '../report.ts'
import { type Failover, median, slowest } from './failovers.ts'

/** The slowest partition of each owner, in the middle of all. */
const mostMedianMs = 12_000

/** `violations`: a partition that nobody took. `shortfalls`: too slow, which a busy machine can be. */
export const judgeFailovers = (failovers: readonly Failover[]) => {
  const violations = failovers.flatMap(({ process, atMs, partitions }) =>
    [...partitions].flatMap(([partition, ms]) =>
      ms === null
        ? [`partition ${partition} was never written again after ${process} was killed at ${seconds(atMs)}`]
        : [],
    ),
  )
  const middle = median(timesOf(failovers))
  const shortfalls =
    middle !== null && middle >= mostMedianMs
      ? [`the median fail-over took ${seconds(middle)}, it must be below ${seconds(mostMedianMs)}`]
      : []
  return { violations, shortfalls }
}

export const failoverRows = (failovers: readonly Failover[]): readonly ReportRow[] => {
  const times = timesOf(failovers)
  if (times.length === 0) return [['fail-overs after SIGKILL', 'none']]
  const partitions = failovers.flatMap(each => [...each.partitions.values()].filter(ms => ms !== null))
  return [
    [
      'fail-overs after SIGKILL',
      `${times.length}, median ${seconds(median(times))}, longest ${seconds(Math.max(...times))}`,
    ],
    ['each, its slowest partition (*: the broker or a quorum was away)', failovers.map(shown).join(' ')],
    [
      'single partitions',
      `${partitions.length}, median ${seconds(median(partitions))}, longest ${seconds(Math.max(...partitions))}`,
    ],
  ]
}

/** Each of them, partition by partition. */
export const failoverText = (failovers: readonly Failover[]): string =>
  failovers
    .map(({ process, atMs, partitions, outages }) => {
      const each = [...partitions].map(([partition, ms]) => `${partition}: ${seconds(ms)}`)
      return `${process} killed at ${seconds(atMs)}; written again: ${each.join(', ')}${outages.size > 0 ? `; meanwhile ${[...outages].join(', ')}` : ''}\n`
    })
    .join('')

const shown = (failover: Failover): string => {
  const ms = slowest(failover)
  return `${ms === null ? 'never' : (ms / 1000).toFixed(1)}${failover.outages.size > 0 ? '*' : ''}`
}

const timesOf = (failovers: readonly Failover[]): readonly number[] => failovers.map(slowest).filter(ms => ms !== null)
