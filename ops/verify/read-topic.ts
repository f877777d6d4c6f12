import type { Clock } from '../../runtime/clock.ts'
import { type Fetcher, KafkaFailure, type KafkaRecord } from '../../runtime/kafka/port.ts'
import { Stop } from '../../runtime/stop.ts'

export type TopicRange = {
  readonly fetcher: Fetcher
  readonly clock: Clock
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  /** The first offset that is not read. */
  readonly to: bigint
}

const maxBytes = 2 * 1024 * 1024
const maxFailures = 20
const retryMs = 500

/**
 * Committed records of one partition, batch by batch.
 * @throws Stop `log-unreadable` when Kafka can't be read, `log-trimmed` when it no longer holds what is asked for
 */
export async function* readTopic(range: TopicRange): AsyncGenerator<readonly KafkaRecord[]> {
  const { fetcher, clock, topic, partition, to } = range
  let failures = 0
  for (let offset = range.from; offset < to; ) {
    try {
      const { records, next } = await fetcher.read({ topic, partition, offset, maxBytes })
      failures = next > offset ? 0 : failures + 1
      offset = next
      const wanted = records.filter(record => record.offset < to)
      if (wanted.length > 0) yield wanted
    } catch (error) {
      if (!(error instanceof KafkaFailure)) throw error
      if (error.kind !== 'retriable') throw unreadable(range, offset, error)
      failures++
      await clock.sleep(retryMs)
    }
    if (failures >= maxFailures) throw unreadable(range, offset, null)
  }
}

const unreadable = ({ topic, partition, to }: TopicRange, offset: bigint, cause: KafkaFailure | null): Stop => {
  const trimmed = cause?.kind === 'out-of-range'
  const why = cause ? cause.message : `asked ${maxFailures} times and got nothing`
  return new Stop({
    code: trimmed ? 'log-trimmed' : 'log-unreadable',
    reason: 'failed',
    message: `${topic}-${partition}: offset ${offset} of ${to} can't be read: ${why}`,
    cause,
  })
}
