import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { byLabel } from '../settle/metrics.ts'
import type { Place } from '../settle/service.ts'
import { ServiceLife } from '../settle/service-life.ts'

/** load drains until all of it is visible in StarRocks and committed; StarRocks must take each load at once. */
export const startLoadLife = (place: Place): Promise<ServiceLife> =>
  ServiceLife.start('load', place, {
    counts: text => {
      const sums = sumsOfMetrics(text)
      return { rows: sums.get('settle_load_rows_total') ?? 0, records: sums.get('settle_load_records_total') ?? 0 }
    },
    isDone: (text, ends) => {
      const committed = byLabel(text, 'settle_load_last_pos', 'partition')
      return [...ends].every(([partition, pos]) => committed.get(`${partition}`) === Number(pos))
    },
    problems: text => {
      const verdicts = byLabel(text, 'settle_load_attempts_total', 'verdict')
      return [...verdicts].filter(([verdict]) => verdict !== 'done').map(([verdict, count]) => `${count} ${verdict}`)
    },
  })
