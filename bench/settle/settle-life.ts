import { setTimeout as pause } from 'node:timers/promises'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { fromCommitted } from '../../runtime/reader/progress.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { pollMs } from './drain.ts'
import { byLabel } from './metrics.ts'
import type { Place } from './service.ts'
import { type Ends, ServiceLife } from './service-life.ts'

const commitWithinMs = 60_000

type Stream = { readonly kafka: KafkaPort; readonly names: StreamNames }

/** settle drains up to the barriers that end each partition: all of it acknowledged by the store, then committed. */
export const startSettleLife = (place: Place, stream: Stream): Promise<ServiceLife> =>
  ServiceLife.start('settle', place, {
    problems,
    afterwards: ends => untilCommitted(stream, ends),
  })

const untilCommitted = async ({ kafka, names: { groups, topics } }: Stream, ends: Ends): Promise<void> => {
  const deadline = performance.now() + commitWithinMs
  for (;;) {
    const committed = await kafka.committed({ group: groups.settle, topic: topics.users })
    const at = (partition: number): bigint | undefined => {
      const offset = committed.get(partition)
      return offset && fromCommitted(offset)?.pos
    }
    if ([...ends].every(([partition, pos]) => at(partition) === pos)) return
    if (performance.now() > deadline)
      throw new Error(`settle has not committed all that it acknowledged within ${commitWithinMs} ms`)
    await pause(pollMs)
  }
}

const problems = (text: string): readonly string[] => {
  const sums = sumsOfMetrics(text)
  const zero = [
    'settle_settle_parked_users',
    'settle_settle_parkings_total',
    'settle_settle_conservation_alarm',
    'settle_settle_restarts_total',
    'settle_settle_errors_total',
  ]
  const wrong = zero.filter(name => (sums.get(name) ?? 0) !== 0).map(name => `${name} ${sums.get(name)}`)
  const unequal = byLabel(text, 'settle_settle_intervals_total', 'result').get('unequal') ?? 0
  return unequal > 0 ? [...wrong, `${unequal} intervals not conserved`] : wrong
}
