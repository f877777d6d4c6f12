import { expect, test } from 'vitest'
import { sumsOfMetrics } from './metrics-text.ts'

test('sums each metric over its labels, leaves buckets out', () => {
  const text = `# HELP a_total what
# TYPE a_total counter
a_total{partition="1",word="x y}"} 3
a_total{partition="2"} 4
b 1.5e3
h_bucket{le="1"} 7
h_sum 2
h_count 7
`
  expect(Object.fromEntries(sumsOfMetrics(text))).toEqual({ a_total: 7, b: 1500, h_sum: 2, h_count: 7 })
})
