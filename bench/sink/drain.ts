import type { Pos } from '../../core/ids.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { type Drained, follow, type Onlooker } from '../settle/drain.ts'
import { byLabel } from '../settle/metrics.ts'
import { BenchService, type Place } from '../settle/service.ts'

type DrainOptions = {
  /** Of each partition of `user.outputs`. */
  readonly ends: ReadonlyMap<number, Pos>
  readonly withinMs: number
  /** What comes first is not measured: a process that has just started compiles itself. */
  readonly warmUpRecords?: number
  readonly onlooker?: Onlooker
}

export type Rows = Drained & {
  readonly rows: number
  readonly records: number
  /** Of the rows those that came within the time. */
  readonly measuredRows: number
}

/**
 * load on what `user.outputs` holds: from the last look before its first record that is measured to all of it visible in
 * StarRocks and committed.
 * @throws Error when StarRocks did not take each load at once
 */
export const drainByLoad = (place: Place, { ends, ...options }: DrainOptions): Promise<Rows> =>
  drain('load', place, {
    ...options,
    isDone: text => {
      const committed = byLabel(text, 'settle_load_last_pos', 'partition')
      return [...ends].every(([partition, pos]) => committed.get(`${partition}`) === Number(pos))
    },
    problem: text => {
      const verdicts = byLabel(text, 'settle_load_attempts_total', 'verdict')
      return [...verdicts].filter(([verdict]) => verdict !== 'done').map(([verdict, count]) => `${count} ${verdict}`)
    },
  })

/**
 * archive on what both topics hold, whose last record opens a window: from the last look before its first record to all
 * windows before that one final, their offsets committed.
 */
export const drainByArchive = (
  place: Place,
  { ends, lastPos, ...options }: DrainOptions & { /** Of the log's last record. */ readonly lastPos: Pos },
): Promise<Rows> =>
  drain('archive', place, {
    ...options,
    isDone: text => {
      const taken = byLabel(text, 'settle_archive_last_pos', 'topic', 'partition')
      const all: readonly (readonly [string, Pos])[] = [
        ['engine.outputs/0', lastPos],
        ...[...ends].map(([partition, pos]) => [`user.outputs/${partition}`, pos] as const),
      ]
      // A partition finishes its window before it takes the first record of the next.
      return all.every(([partition, pos]) => taken.get(partition) === Number(pos))
    },
    problem: () => [],
  })

const drain = async (
  name: 'load' | 'archive',
  place: Place,
  options: {
    readonly isDone: (metrics: string) => boolean
    /** What would make the figures worthless. */
    readonly problem: (metrics: string) => readonly string[]
    readonly withinMs: number
    readonly warmUpRecords?: number
    readonly onlooker?: Onlooker
  },
): Promise<Rows> => {
  const { isDone, problem, withinMs, warmUpRecords = 1, onlooker } = options
  const service = await BenchService.start(name, place)
  try {
    let text = ''
    const count = (what: 'records' | 'rows'): number => sumsOfMetrics(text).get(`settle_${name}_${what}_total`) ?? 0
    let before = 0
    const progress = async () => {
      text = await service.metrics()
      onlooker?.look(count('records'), service.pid)
      if (count('records') < warmUpRecords) {
        before = count('rows')
        return 'nothing'
      }
      return isDone(text) ? 'all' : 'some'
    }
    const drained = await follow(service, { progress, withinMs })
    const problems = problem(text)
    if (problems.length > 0) throw new Error(`${name} did not do it well, its figures say nothing: ${problems.join()}`)
    await service.stop()
    return { ...drained, rows: count('rows'), records: count('records'), measuredRows: count('rows') - before }
  } finally {
    await service.kill()
  }
}
