import type { Pos } from '../../core/ids.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { begun, follow, type Onlooker } from '../settle/drain.ts'
import { byLabel } from '../settle/metrics.ts'
import { BenchService, type Place } from '../settle/service.ts'
import type { DrainedRows, Ends } from '../settle/service-life.ts'

/**
 * archive on what both topics hold, whose last record opens a window: from the last look before its first record to all
 * windows before that one final, their offsets committed.
 */
export const drainByArchive = async (
  place: Place,
  {
    ends,
    lastPos,
    withinMs,
    onlooker,
  }: {
    readonly ends: Ends
    /** Of the log's last record. */
    readonly lastPos: Pos
    readonly withinMs: number
    readonly onlooker?: Onlooker
  },
): Promise<DrainedRows> => {
  const all: readonly (readonly [string, Pos])[] = [
    ['engine.outputs/0', lastPos],
    ...[...ends].map(([partition, pos]) => [`user.outputs/${partition}`, pos] as const),
  ]
  const service = await BenchService.start('archive', place)
  try {
    let text = ''
    const count = (what: 'records' | 'rows'): number => sumsOfMetrics(text).get(`settle_archive_${what}_total`) ?? 0
    const progress = async () => {
      text = await service.metrics()
      onlooker?.look(count('records'), service.pid)
      if (count('records') === 0) return 0
      const taken = byLabel(text, 'settle_archive_last_pos', 'topic', 'partition')
      // A partition finishes its window before it takes the first record of the next.
      return all.every(([partition, pos]) => taken.get(partition) === Number(pos)) ? 1 : begun
    }
    const drained = await follow(service, { progress, withinMs })
    await service.stop()
    return { ...drained, rows: count('rows'), records: count('records') }
  } finally {
    await service.kill()
  }
}
