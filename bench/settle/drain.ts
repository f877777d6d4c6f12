import { setTimeout as pause } from 'node:timers/promises'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { cpuUs } from '../process-stats.ts'
import { BenchService, type Place } from './service.ts'
import { closingBarriers, offsetOfLast } from './tails.ts'

/** An answer with all metrics costs the service some milliseconds, which are no part of its work. */
export const pollMs = 250
const closeWithinMs = 30_000

export type Drained = {
  /** From the last look that saw nothing done to the first that saw everything done. */
  readonly seconds: number
  /** All threads of the process, from its first work to its last. */
  readonly cpuUs: number
}

/** repartition on what `engine.outputs` holds, until all of it and a barrier stand in `user.outputs`. */
export const drainByRepartition = async (
  place: Place,
  options: {
    readonly kafka: KafkaPort
    readonly names: StreamNames
    /** pos of the log's last record. */
    readonly lastPos: Pos
    readonly withinMs: number
  },
): Promise<Drained & { readonly ends: ReadonlyMap<number, Pos> }> => {
  const { kafka, names, lastPos, withinMs } = options
  const src = await offsetOfLast(kafka, names, { pos: lastPos, withinMs: closeWithinMs })
  const service = await BenchService.start('repartition', place)
  try {
    const progress = async () => {
      const at = sumsOfMetrics(await service.metrics()).get('settle_repartition_src') ?? 0
      return at === 0 ? 'nothing' : at >= Number(src) ? 'all' : 'some'
    }
    const drained = await follow(service, { progress, withinMs })
    const ends = await closingBarriers(kafka, names, { src, withinMs: closeWithinMs })
    await service.stop()
    return { ...drained, ends }
  } finally {
    await service.kill()
  }
}

type Progress = 'nothing' | 'some' | 'all'

/** Something that looks on while a service drains. */
export type Onlooker = { look(records: number, pid: number): void }

/** Looks at a service until it has done everything. @throws Error when that takes too long */
export const follow = async (
  { pid }: BenchService,
  { progress, withinMs }: { readonly progress: () => Promise<Progress>; readonly withinMs: number },
): Promise<Drained> => {
  const deadline = performance.now() + withinMs
  let start = { ms: performance.now(), cpuUs: cpuUs(pid) }
  for (;;) {
    // Taken before it is asked: what it answers may be a moment newer, and the time is rather told too long.
    const now = { ms: performance.now(), cpuUs: cpuUs(pid) }
    const found = await progress()
    if (found === 'nothing') start = now
    if (found === 'all') return { seconds: (performance.now() - start.ms) / 1000, cpuUs: cpuUs(pid) - start.cpuUs }
    if (now.ms > deadline) throw new Error(`not drained within ${withinMs} ms`)
    await pause(pollMs)
  }
}
