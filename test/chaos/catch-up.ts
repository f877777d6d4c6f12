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
export const firstCommits = async ({ kafka, names, partitions }: StreamStage, without: Without): Promise<void> =>
  void (await awaitCommonBarrier({ ...{ kafka, names, partitions, without }, clock: systemClock, waitMs: 180_000 }))

/** Ends the flow, and waits until every reader has committed to be past its last output. False, and told, if too late. */
export const catchUp = async (
  { trace, dir }: Pick<ChaosRun, 'trace' | 'dir'>,
  { kafka, names, partitions }: StreamStage,
  options: { readonly engine: Engine; readonly without: Without; readonly withinMs: number },
): Promise<boolean> => {
  const { engine, without, withinMs } = options
  const startMs = trace.nowMs
  const late = (problem: string): false => {
    trace.violate(problem, { shown: 'alone' })
    return false
  }
  const end = await endOfFlow({ engine, folder: join(dir, 'engine'), kafka, topic: names.topics.log, withinMs })
  if (end.kind === 'missed') return late(end.problem)
  const waitMs = Math.max(0, withinMs - Math.round(trace.nowMs - startMs))
  try {
    await awaitCommonBarrier({ ...{ kafka, names, partitions, without }, clock: systemClock, waitMs })
    return true
  } catch (error) {
    if (!(error instanceof Stop || error instanceof KafkaFailure)) throw error
    return late(`no progress: ${error.message}`)
  }
}
