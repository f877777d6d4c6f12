import { setTimeout as pause } from 'node:timers/promises'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { decodeLogRecord, decodeUserRecord } from '../../schemas/codec.ts'
import { exchangeSize } from './exchange.ts'

const pollMs = 50

/**
 * Offset of the log's last record, whose pos is known. A broker answers a commit before it has told the partitions:
 * for a moment a reader of committed records does not see the last ones.
 * @throws Error when that takes too long
 */
export const offsetOfLast = async (
  kafka: KafkaPort,
  { topics }: StreamNames,
  { pos, withinMs }: { readonly pos: Pos; readonly withinMs: number },
): Promise<bigint> => {
  const deadline = performance.now() + withinMs
  for (;;) {
    const [last] = await kafka.readTail({ topic: topics.log, partition: 0, count: 1 })
    if (last && decodeLogRecord(last.value).pos === pos) return last.offset
    if (performance.now() > deadline) throw new Error(`the log does not end with pos ${pos} within ${withinMs} ms`)
    await pause(pollMs)
  }
}

/**
 * pos of the barrier that ends each partition of `user.outputs`, once everything up to `src` of the log stands there and
 * is closed by one.
 * @throws Error when that takes too long
 */
export const closingBarriers = async (
  kafka: KafkaPort,
  { topics }: StreamNames,
  { src, withinMs }: { readonly src: bigint; readonly withinMs: number },
): Promise<ReadonlyMap<number, Pos>> => {
  const deadline = performance.now() + withinMs
  const partitions = Array.from({ length: exchangeSize.partitions }, (_, partition) => partition)
  for (;;) {
    const tails = await Promise.all(
      partitions.map(async partition => {
        const [tail] = await kafka.readTail({ topic: topics.users, partition, count: 1 })
        const record = tail ? decodeUserRecord(tail.value) : null
        return record?.kind === 'Barrier' && record.src === src ? record.pos : null
      }),
    )
    if (tails.every(tail => tail !== null)) return new Map(tails.map((pos, partition) => [partition, pos] as const))
    if (performance.now() > deadline)
      throw new Error(`no barrier behind offset ${src} of the log within ${withinMs} ms`)
    await pause(pollMs)
  }
}
