import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { readSessions } from './engine-journal.ts'
import type { Engine } from './engine.ts'
import { askUntil, readLast } from './read-log.ts'

/** From the start to the first outputs in the log. */
const firstMs = 180_000

/** Faults begin when everything works. */
export const firstOutputs = async (kafka: KafkaPort, topic: string): Promise<void> => {
  const first = await askUntil(() => readLast(kafka, topic), {
    isWanted: last => last !== null && last.at.seq > 0n,
    withinMs: firstMs,
    everyMs: 100,
  })
  if (!first) throw new Error(`no output reached the log within ${firstMs} ms of the start`)
}

export type FlowEnd = { readonly kind: 'reached' } | { readonly kind: 'missed'; readonly problem: string }

/** Ends the engine's flow, and waits until the log holds its last output. */
export const endOfFlow = async (options: {
  readonly engine: Engine
  /** Of the journal. */
  readonly folder: string
  readonly kafka: KafkaPort
  readonly topic: string
  readonly withinMs: number
}): Promise<FlowEnd> => {
  const { engine, folder, kafka, topic, withinMs } = options
  const startMs = performance.now()
  const outputs = await Promise.race([engine.endFlow(), delay(withinMs, null, { ref: false })])
  if (outputs === null)
    return { kind: 'missed', problem: `the engine did not come up without a flow within ${withinMs / 1000} s` }
  const last = (await readSessions(folder)).findLast(({ first }) => first <= BigInt(outputs))
  if (!last) throw new Error(`output ${outputs} belongs to no session`)
  const seq = BigInt(outputs) - last.first + 1n
  const found = await askUntil(() => readLast(kafka, topic), {
    isWanted: record =>
      record !== null && (record.at.epoch > last.epoch || (record.at.epoch === last.epoch && record.at.seq >= seq)),
    withinMs: withinMs - (performance.now() - startMs),
    everyMs: 50,
  })
  if (found) return { kind: 'reached' }
  const session = `${last.epoch}/${last.random}`
  return {
    kind: 'missed',
    problem: `no progress: ${withinMs / 1000} s after the last fault the log did not hold output ${outputs}, session ${session} seq ${seq}`,
  }
}
