import type { Pos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { KafkaPort, KafkaRecord } from '../../runtime/kafka/port.ts'
import { refuse, type Stop } from '../../runtime/stop.ts'
import { decodeLogRecord } from '../../schemas/codec.ts'
import type { ArchivedRecord } from '../archive/archived-log.ts'
import { boundsOf } from '../operate/log-places.ts'
import { readTopic } from '../verify/read-topic.ts'

/** How far a topic holds the archive's records. */
export type Held = {
  /** Records of the archive that are there. */
  readonly records: bigint
  readonly lastPos: Pos | null
  /** Records behind the archive's last: a bridge has gone on from it. */
  readonly beyond: bigint
}

/**
 * Proves that a topic holds the archive's records from the first on, byte for byte, and nothing between.
 * @throws Stop `restore-topic-differs`, `restore-topic-trimmed`
 */
export const compareLog = async (options: {
  readonly kafka: KafkaPort
  readonly clock: Clock
  readonly topic: string
  readonly archived: AsyncGenerator<ArchivedRecord>
}): Promise<Held> => {
  const { kafka, clock, topic, archived } = options
  const { low, end } = await boundsOf(kafka, topic)
  if (low > 0n)
    throw refuse(
      'restore-topic-trimmed',
      `${topic} begins at offset ${low}: its first records are gone, and a log can only be refilled from its first record on; make the topic anew (docs/archive.md, "After a disaster")`,
    )
  const fetcher = kafka.openFetcher()
  let held: Held = { records: 0n, lastPos: null, beyond: 0n }
  try {
    for await (const records of readTopic({ fetcher, clock, topic, partition: 0, from: 0n, to: end }))
      for (const found of records) held = await hold(held, { topic, found, archived })
    return held
  } finally {
    await fetcher.close()
    await archived.return(undefined)
  }
}

const hold = async (
  held: Held,
  {
    topic,
    found,
    archived,
  }: {
    readonly topic: string
    readonly found: KafkaRecord
    readonly archived: AsyncGenerator<ArchivedRecord>
  },
): Promise<Held> => {
  const next = held.beyond > 0n ? null : await archived.next()
  if (!next || next.done) {
    // No record of the archive is there at all: what is there is not its continuation.
    if (held.records === 0n) throw differs(topic, found, null)
    return { ...held, beyond: held.beyond + 1n }
  }
  if (!isSame(next.value, found)) throw differs(topic, found, next.value)
  return { ...held, records: held.records + 1n, lastPos: next.value.record.pos }
}

export const isSame = ({ record, value }: ArchivedRecord, found: KafkaRecord): boolean =>
  found.value.equals(value) && found.timestampMs === record.pos / 1000n && found.key === null

export const differs = (topic: string, { offset, value }: KafkaRecord, expected: ArchivedRecord | null): Stop =>
  refuse(
    'restore-topic-differs',
    `${topic}, offset ${offset}: ${toldBy(value)} stands where the archive has ${expected ? `a ${expected.record.kind} of pos ${expected.record.pos}` : 'nothing'}. ` +
      'It is another log than the archive’s: nothing was written. Restore into an empty topic (docs/archive.md, "After a disaster")',
    { offset },
  )

const toldBy = (value: Buffer): string => {
  try {
    const { kind, pos } = decodeLogRecord(value)
    return `a ${kind} of pos ${pos}`
  } catch {
    return 'a record that is none of a log'
  }
}
