import type { ReferenceData, UserRecord } from '../../core/events.ts'
import { pos as asPos, type Pos } from '../../core/ids.ts'
import type { Fetcher, KafkaPort, KafkaRecord } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { refuse } from '../../runtime/stop.ts'
import { decodeLogRecord, decodeUserRecord } from '../../schemas/codec.ts'
import { emptyState, Repartitioner } from './repartitioner.ts'

/** Where to go on: everything at or below `src` is written. */
export type Recovered = {
  readonly repartitioner: Repartitioner
  readonly src: bigint
  /** Offset in the log of the last Reference record at or below src; −1 when there is none. */
  readonly referenceSrc: bigint
}

type Options = {
  readonly kafka: KafkaPort
  readonly fetcher: Fetcher
  readonly names: StreamNames
  readonly partitions: number
}

/**
 * Reads from the tails of `user.outputs` and from the log where repartition stands. Only after fencing.
 * @throws Stop when log and `user.outputs` do not belong together.
 */
export const recover = async (options: Options): Promise<Recovered> => {
  const tails = await readTails(options)
  const newest = tails.reduce<UserRecord | null>(
    (best, tail) => (tail && (!best || tail.src > best.src) ? tail : best),
    null,
  )
  if (!newest) return { repartitioner: new Repartitioner(emptyState(options.partitions)), src: -1n, referenceSrc: -1n }
  await checkSameLog(options, newest)
  const barrier = await lastBarrier(options)
  const before = await referenceAt(options, barrier.src)
  const repartitioner = new Repartitioner({
    ns: tails.map(tail => tail?.n ?? 0n),
    barrier,
    reference: before.reference,
  })
  let { referenceSrc } = before
  await eachLogRecord(options, { from: barrier.src + 1n, to: newest.src }, (src, record) => {
    repartitioner.note(src, record)
    if (record.kind === 'Reference') referenceSrc = src
  })
  return { repartitioner, src: newest.src, referenceSrc }
}

const readTails = ({ kafka, names, partitions }: Options): Promise<readonly (UserRecord | null)[]> =>
  Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const [tail] = await kafka.readTail({ topic: names.topics.users, partition, count: 1 })
      return tail ? decodeUserRecord(tail.value) : null
    }),
  )

const checkSameLog = async ({ kafka, names }: Options, { src, pos, kind }: UserRecord): Promise<void> => {
  const [found] = await kafka.readTail({ topic: names.topics.log, partition: 0, count: 1, before: src + 1n })
  const at = found && found.offset === src ? decodeLogRecord(found.value).pos : null
  if (at === pos) return
  throw refuse(
    'other-log',
    `${names.topics.users} ends with a ${kind} of pos ${pos} made from offset ${src} of ${names.topics.log}, where ` +
      `${at === null ? 'there is no record' : `the record has pos ${at}`}: the log is not the one that it was made from; a remade log needs a new stream, a remade ${names.topics.users} needs new groups`,
    { src, pos, found: at },
  )
}

/** A barrier stands in every partition, so partition 0 has the last one. */
const lastBarrier = async ({ kafka, names }: Options): Promise<{ readonly pos: Pos; readonly src: bigint }> => {
  const topic = names.topics.users
  for (let count = 64; ; count *= 8) {
    const tail: readonly KafkaRecord[] = await kafka.readTail({ topic, partition: 0, count })
    for (const { value } of tail.toReversed()) {
      const record = decodeUserRecord(value)
      if (record.kind === 'Barrier') return { pos: record.pos, src: record.src }
    }
    if (tail.length < count) return { pos: asPos(0n), src: -1n }
  }
}

type Reference = { readonly reference: ReferenceData | null; readonly referenceSrc: bigint }

/** The reference data in force at a barrier: its offset in the log was committed with the barrier. */
const referenceAt = async (options: Options, src: bigint): Promise<Reference> => {
  const { kafka, names } = options
  if (src < 0n) return { reference: null, referenceSrc: -1n }
  const committed = (await kafka.committed({ group: names.groups.repartition, topic: names.topics.log })).get(0)
  const hint = committed?.offset === src + 1n ? /^ref=(\d+)$/.exec(committed.metadata) : null
  let found: Reference = { reference: null, referenceSrc: -1n }
  // Without the hint, for instance when the group is new, the whole log is read: slow, and right.
  const range = hint ? { from: BigInt(hint[1] as string), to: BigInt(hint[1] as string) } : { from: 0n, to: src }
  await eachLogRecord(options, range, (at, record) => {
    if (record.kind === 'Reference') found = { reference: record.output.reference, referenceSrc: at }
  })
  return found
}

const eachLogRecord = async (
  { fetcher, names }: Options,
  { from, to }: { readonly from: bigint; readonly to: bigint },
  visit: (src: bigint, record: ReturnType<typeof decodeLogRecord>) => void,
): Promise<void> => {
  for (let offset = from; offset <= to; ) {
    const { records, next } = await fetcher.read({ topic: names.topics.log, partition: 0, offset })
    for (const { offset: at, value } of records) if (at <= to) visit(at, decodeLogRecord(value))
    offset = next
  }
}
