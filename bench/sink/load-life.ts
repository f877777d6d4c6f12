import { byLabel } from '../settle/metrics.ts'
import type { Place } from '../settle/service.ts'
import { ServiceLife } from '../settle/service-life.ts'

/** load drains until all of it is visible in StarRocks and committed; StarRocks must take each load at once. */
export const startLoadLife = (place: Place): Promise<ServiceLife> =>
  ServiceLife.start('load', place, {
    problems: text => {
      const verdicts = byLabel(text, 'settle_load_attempts_total', 'verdict')
      return [...verdicts].filter(([verdict]) => verdict !== 'done').map(([verdict, count]) => `${count} ${verdict}`)
    },
  })
