import type { Command, CommandRecord, LogRecord } from '../../core/events.ts'
import { pos } from '../../core/ids.ts'
import type { Clock } from '../../runtime/clock.ts'
import { KafkaFailure, type KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { Stop } from '../../runtime/stop.ts'
import { decodeCommandRecord, decodeLogRecord, encodeCommandRecord } from '../../schemas/codec.ts'
import { recordsBack } from '../records-back.ts'
import { operateLimits } from './limits.ts'
import { boundsOf, lastAtPos } from './log-places.ts'

/** What the bridge writes for a command. */
export type Answer = Extract<LogRecord, { readonly command: Command }>

/** A command that stands in `operator.commands`, and the log's offset from which on its answer is to be looked for. */
export type Sent = { readonly record: CommandRecord; readonly offset: bigint; readonly answerFrom: bigint }

type Ports = { readonly kafka: KafkaPort; readonly clock: Clock; readonly names: StreamNames }

/** What `operator.commands` holds, as one command needs to know it. */
export type Commands = {
  /** The first record with the command's id, which is the one that acts; null when the id is new. */
  readonly sent: Sent | null
  /** What no bridge has come to yet. */
  readonly waiting: readonly CommandRecord[]
  /** Of the topic's last record; −1 when it is empty. */
  readonly lastOffset: bigint
}

export const readCommands = async ({ kafka, names }: Omit<Ports, 'clock'>, id: string): Promise<Commands> => {
  const { topics, groups } = names
  const next = (await kafka.committed({ group: groups.bridge, topic: topics.commands })).get(0)?.offset ?? 0n
  let found: Omit<Sent, 'answerFrom'> | null = null
  let lastOffset = -1n
  const waiting: CommandRecord[] = []
  for await (const { offset, value } of recordsBack(kafka, { topic: topics.commands })) {
    if (offset > lastOffset) lastOffset = offset
    const record = decoded(value)
    if (record?.command.id === id) found = { record, offset }
    if (record && offset >= next) waiting.push(record)
  }
  const sent = found && { ...found, answerFrom: await answerFrom({ kafka, names }, found) }
  return { sent, waiting, lastOffset }
}

/** What nobody can read is the bridge's to refuse; it is nobody's command. */
const decoded = (value: Buffer): CommandRecord | null => {
  try {
    return decodeCommandRecord(value)
  } catch {
    return null
  }
}

/** The bridge commits the offset of a command with its answer: below it the answer is there, above it is to come. */
const answerFrom = async (
  { kafka, names }: Omit<Ports, 'clock'>,
  { record, offset }: Omit<Sent, 'answerFrom'>,
): Promise<bigint> => {
  const { topics, groups } = names
  const { end } = await boundsOf(kafka, topics.log)
  const next = (await kafka.committed({ group: groups.bridge, topic: topics.commands })).get(0)?.offset ?? 0n
  if (next <= offset) return end
  const before = await lastAtPos(kafka, topics.log, pos(record.command.time - operateLimits.clockDoubtUs))
  return before?.offset ?? 0n
}

/**
 * Writes a command once. Two `settle` processes at once fence each other, and a transaction that one of them left
 * open has ended when the writer is there: only a look after that is sure not to miss the same id.
 * `seen`: the topic before the command was worked out.
 * @throws Stop `command-unsent`, `command-unknown`: to be run again with the same id.
 */
export const send = async (
  { kafka, names }: Omit<Ports, 'clock'>,
  record: CommandRecord,
  seen: Commands,
): Promise<Sent> => {
  const topic = names.topics.commands
  const { id, time } = record.command
  const writer = await kafka.openTxWriter({ transactionalId: names.transactionalIds.commands }).catch(error => {
    throw unsent(id, error)
  })
  try {
    const now = await readCommands({ kafka, names }, id)
    if (now.sent) return now.sent
    // Whoever sent it looked at the same log: what was worked out from it may no longer be so.
    if (now.lastOffset > seen.lastOffset) throw unsent(id, new Error('another command was sent meanwhile'))
    const { end } = await boundsOf(kafka, names.topics.log)
    const value = encodeCommandRecord(record)
    await writer
      .commitBatch({ records: [{ topic, partition: 0, key: null, value, timestampMs: time / 1000n }] })
      .catch(error => {
        throw unknown(id, error)
      })
    const [last] = await kafka.readTail({ topic, partition: 0, count: 1 })
    return { record, offset: last?.offset ?? 0n, answerFrom: end }
  } finally {
    await writer.close()
  }
}

const again = (id: string): string => `run the same command again with --id ${id}: it acts once`

const unsent = (id: string, error: unknown): Stop =>
  new Stop({
    code: 'command-unsent',
    reason: 'failed',
    message: `command ${id} was not sent: ${why(error)}; ${again(id)}`,
    context: { id },
    cause: error,
  })

const unknown = (id: string, error: unknown): Stop =>
  new Stop({
    code: 'command-unknown',
    reason: 'failed',
    message: `nobody can tell whether command ${id} was sent: ${why(error)}; ${again(id)}`,
    context: { id },
    cause: error,
  })

const why = (error: unknown): string => {
  if (error instanceof KafkaFailure && error.kind === 'fenced')
    return `another settle command of this stream began meanwhile and took over the writing (${error.message})`
  return error instanceof Error ? error.message : String(error)
}

/**
 * The bridge's record for a command, the first one with its id; null when none came in time. What the log had at
 * the beginning is looked through in any case. Kafka's passing failures are sat out.
 */
export const awaitAnswer = async (
  { kafka, clock, names }: Ports,
  { sent, waitMs }: { readonly sent: Sent; readonly waitMs: number },
): Promise<Answer | null> => {
  const topic = names.topics.log
  const { id } = sent.record.command
  const deadlineMs = clock.monotonicMs() + waitMs
  const { low, end } = await boundsOf(kafka, topic)
  const fetcher = kafka.openFetcher()
  try {
    for (let offset = sent.answerFrom > low ? sent.answerFrom : low; ; ) {
      const leftMs = deadlineMs - clock.monotonicMs()
      if (offset >= end && leftMs <= 0) return null
      try {
        const { records, next } = await fetcher.read({ topic, partition: 0, offset })
        for (const { value } of records) {
          const record = decodeLogRecord(value)
          if (isAnswer(record) && record.command.id === id) return record
        }
        offset = next
      } catch (error) {
        if (!(error instanceof KafkaFailure) || error.kind !== 'retriable' || leftMs <= 0) throw error
        await clock.sleep(Math.min(operateLimits.askAgainMs, leftMs))
      }
    }
  } finally {
    await fetcher.close()
  }
}

const isAnswer = (record: LogRecord): record is Answer => 'command' in record
