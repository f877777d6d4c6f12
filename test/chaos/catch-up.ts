import { join } from 'node:path'
import { awaitCommonBarrier } from '../../ops/verify/common-barrier.ts'
import { systemClock } from '../../runtime/clock.ts'
import { KafkaFailure } from '../../runtime/kafka/port.ts'
import { Stop } from '../../runtime/stop.ts'
import type { ChaosRun } from './chaos-run.ts'
import type { Engine } from './engine.ts'
import { endOfFlow } from './engine-in-log.ts'
import type { StreamStage } from './stream-stage.ts'

/** Readers of the topics, as `settle verify` knows them. */
export type Without = Parameters<typeof awaitCommonBarrier>[0]['without']

/** Faults begin when everything works: every partition of every reader has come past its first barrier. */
export const firstCommits = async (stream: StreamStage, without: Without): Promise<void> =>
  await commonBarrier(stream, { without, withinMs: 180_000 })

/** Waits until every reader is past the log's last output, also while the broker does not answer. */
const commonBarrier = async (
  { kafka, names, partitions }: StreamStage,
  { without, withinMs }: { readonly without: Without; readonly withinMs: number },
): Promise<void> => {
  const clock = systemClock
  const endMs = clock.monotonicMs() + withinMs
  for (;;) {
    const waitMs = Math.max(1, Math.round(endMs - clock.monotonicMs()))
    try {
      await awaitCommonBarrier({ ...{ kafka, names, partitions, without, clock }, waitMs })
      return
    } catch (error) {
      if (!(error instanceof KafkaFailure) || error.kind !== 'retriable' || waitMs === 1) throw error
      await clock.sleep(askAgainMs)
    }
  }
}

const askAgainMs = 250

/** Ends the flow, and waits until every reader has committed to be past its last output. False, and told, if too late. */
export const catchUp = async (
  { trace, dir }: Pick<ChaosRun, 'trace' | 'dir'>,
  stream: StreamStage,
  options: { readonly engine: Engine; readonly without: Without; readonly withinMs: number },
): Promise<boolean> => {
  const { engine, without, withinMs } = options
  const { kafka, names } = stream
  const startMs = trace.nowMs
  const late = (problem: string): false => {
    trace.violate(problem, { shown: 'alone' })
    return false
  }
  const end = await endOfFlow({ engine, folder: join(dir, 'engine'), kafka, topic: names.topics.log, withinMs })
  if (end.kind === 'missed') return late(end.problem)
  try {
    await commonBarrier(stream, { without, withinMs: withinMs - (trace.nowMs - startMs) })
    return true
  } catch (error) {
    if (!(error instanceof Stop || error instanceof KafkaFailure)) throw error
    return late(`no progress: ${error.message}`)
  }
}
