import type { KafkaPort } from '../../runtime/kafka/port.ts'
import { LogCheck } from './check-log.ts'
import { readJournal } from './engine-journal.ts'
import { readLog } from './read-log.ts'
import type { Trace } from './trace.ts'

/** Reads the whole log beside the engine's journal and tells what is not as it should be. */
export const holdLogToJournal = async (options: {
  readonly kafka: KafkaPort
  readonly topic: string
  /** The engine's. */
  readonly folder: string
  readonly trace: Trace
  readonly onRecord?: (at: { readonly epoch: bigint; readonly random: bigint; readonly seq: bigint }) => void
}): Promise<LogCheck> => {
  const { kafka, topic, folder, trace, onRecord } = options
  const check = await LogCheck.open(readJournal(folder))
  for await (const record of readLog(kafka, topic)) {
    await check.take(record)
    onRecord?.(record.at)
  }
  await check.end()
  for (const violation of check.violations) trace.violate(`log: ${violation}`, { shown: 'alone' })
  const untold = check.violationCount - check.violations.length
  if (untold > 0) trace.violate(`log: ${untold} more like these`, { shown: 'alone' })
  return check
}
