import type { Barrier } from '../../core/events.ts'
import { type Pos, pos as asPos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { refuse } from '../../runtime/stop.ts'
import { decodeUserRecord } from '../../schemas/codec.ts'
import type { GroupSpec } from '../init/groups.ts'
import { barriersBack, lastUpToPos } from '../last-places.ts'

/** Where a replay goes back to: the very first record, or the last barrier at or before a pos. */
export type ReplayTo = { readonly kind: 'start' } | { readonly kind: 'pos'; readonly pos: Pos }

/** A group's place in every partition; `barrier`: pos of the one it is just after, null before the first record. */
export type ReplayTarget = { readonly barrier: Pos | null; readonly places: readonly Progress[] }

/** @throws Stop when there is no such place in the topic */
export const findTarget = async (
  kafka: KafkaPort,
  { topic, partitions }: GroupSpec,
  to: ReplayTo,
): Promise<ReplayTarget> => {
  if (to.kind === 'start') return start(kafka, { topic, partitions })
  const barrier = await lastBarrier(kafka, topic, to.pos)
  if (!barrier)
    throw refuse(
      'replay-no-barrier',
      `no barrier of ${topic} is at or before pos ${to.pos}; give a later pos, as settle status tells it, or --to start`,
    )
  return barrierPlaces(kafka, { topic, partitions }, barrier)
}

/** The last barrier at or before a pos; null when there is none. */
export const lastBarrier = async (kafka: KafkaPort, topic: string, pos: Pos): Promise<Barrier | null> => {
  const last = await lastUpToPos(kafka, { topic, partition: 0, decode: decodeUserRecord }, pos)
  if (!last) return null
  for await (const barrier of barriersBack(kafka, { topic, before: last.offset + 1n })) return barrier
  return null
}

type Topic = Pick<GroupSpec, 'topic' | 'partitions'>

const start = async (kafka: KafkaPort, { topic, partitions }: Topic): Promise<ReplayTarget> => {
  const trimmed = [...(await kafka.bounds(topic))].filter(([, { low }]) => low > 0n)
  if (trimmed.length > 0)
    throw refuse(
      'replay-trimmed',
      `${topic} no longer holds its first records: ${trimmed.map(([partition, { low }]) => `partition ${partition} begins at offset ${low}`).join(', ')}. ` +
        'Give --to a pos that it holds; see that retention.ms is -1',
    )
  return { barrier: null, places: Array.from({ length: partitions }, () => ({ offset: 0n, n: 0n, pos: asPos(0n) })) }
}

/** A barrier stands in all partitions, as the last record of its pos. */
const barrierPlaces = async (
  kafka: KafkaPort,
  { topic, partitions }: Topic,
  { pos, ns }: Barrier,
): Promise<ReplayTarget> => {
  const place = async (partition: number): Promise<Progress> => {
    const found = await lastUpToPos(kafka, { topic, partition, decode: decodeUserRecord }, pos)
    if (found?.record.kind === 'Barrier' && found.record.pos === pos && found.record.n === ns[partition])
      return { offset: found.offset + 1n, n: found.record.n, pos }
    const there = found ? `${found.record.kind} n=${found.record.n} pos=${found.record.pos}` : 'nothing'
    throw refuse(
      'replay-torn-barrier',
      `the barrier at pos ${pos} is n=${String(ns[partition])} of ${topic}, partition ${partition}, but up to that pos ` +
        `its last record is ${there}: ${topic} was not written by repartition. Run settle verify`,
    )
  }
  return { barrier: pos, places: await Promise.all(Array.from({ length: partitions }, (_, each) => place(each))) }
}
