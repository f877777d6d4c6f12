import type { EnginePosition } from '../core/events.ts'
import { pos as asPos, type Pos } from '../core/ids.ts'
import type { KafkaPort } from '../runtime/kafka/port.ts'
import { zeroChain } from '../schemas/chain.ts'
import { decodeLogRecord } from '../schemas/codec.ts'

/** Where the log stands: the last pos stamped and the last engine position taken. */
export type LogTail = { readonly pos: Pos; readonly at: EnginePosition }

/** Reads the end of `engine.outputs`. Only after fencing: before it, another bridge may still write. */
export const readLogTail = async (kafka: KafkaPort, topic: string): Promise<LogTail> => {
  const [last] = await kafka.readTail({ topic, partition: 0, count: 1 })
  if (!last) return { pos: asPos(0n), at: { epoch: 0n, random: 0n, seq: 0n, chain: zeroChain } }
  const { pos, at } = decodeLogRecord(last.value)
  return { pos, at }
}
