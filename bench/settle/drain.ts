import { setTimeout as pause } from 'node:timers/promises'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { cpuUs } from '../process-stats.ts'
import { BenchService, patient, type Place } from './service.ts'
import { closingBarriers, offsetOfLast } from './tails.ts'

/** An answer with all metrics costs the service some milliseconds, which are no part of its work. */
export const pollMs = 500
/** Where a drain begins and where it ends: whoever looks seldom there takes the time to be longer than it was. */
const edgePollMs = 50
/** For a figure's method. */
export const lookedAt = `by its metrics every ${pollMs} ms, and up to every ${edgePollMs} where it begins and ends`
/** The least share that is told once anything is done, and by whoever can't tell more. */
export const begun = 0.001
const closeWithinMs = 30_000

export type Drained = {
  /** From the last look that saw nothing done to the first that saw everything done. */
  readonly seconds: number
  /** All threads of the process, from its first work to its last. */
  readonly cpuUs: number
}

type Filled = {
  readonly kafka: KafkaPort
  readonly names: StreamNames
  /** pos of the log's last record. */
  readonly lastPos: Pos
  readonly withinMs: number
}
type DrainedOutputs = Drained & { readonly ends: ReadonlyMap<number, Pos> }

/** One process of repartition on what `engine.outputs` holds, until all of it and a barrier stand in `user.outputs`. */
export const drainByRepartition = async (place: Place, filled: Filled): Promise<DrainedOutputs> => {
  const life = await RepartitionLife.start(place)
  try {
    const drained = await life.drain(filled)
    await life.stop()
    return drained
  } finally {
    await life.kill()
  }
}

/** One process of repartition through all drains of a benchmark; between two of them it stands still, as `ServiceLife`. */
export class RepartitionLife {
  readonly #service: BenchService
  /** Offset of the last record of the log that it had taken. */
  #src = 0

  private constructor(service: BenchService) {
    this.#service = service
  }

  static async start(place: Place): Promise<RepartitionLife> {
    return new RepartitionLife(await BenchService.start('repartition', patient(place)))
  }

  /** What the log has gained, until all of it and a barrier stand in `user.outputs`. @throws Error when it takes too long */
  async drain({ kafka, names, lastPos, withinMs }: Filled): Promise<DrainedOutputs> {
    const src = await offsetOfLast(kafka, names, { pos: lastPos, withinMs: closeWithinMs })
    const service = this.#service
    service.goOn()
    const progress = async () => {
      const at = sumsOfMetrics(await service.metrics()).get('settle_repartition_src') ?? 0
      return (at - this.#src) / (Number(src) - this.#src)
    }
    const drained = await follow(service, { progress, withinMs })
    const ends = await closingBarriers(kafka, names, { src, withinMs: closeWithinMs })
    service.standStill()
    this.#src = Number(src)
    return { ...drained, ends }
  }

  stop(): Promise<void> {
    return this.#service.stop()
  }

  /** For the way out after a failure. */
  kill(): Promise<void> {
    return this.#service.kill()
  }
}

/** Something that looks on while a service drains. */
export type Onlooker = { look(records: number, pid: number): void }

export type Followed = {
  /** The share that is done: 0 while nothing is, 1 or more when everything is. */
  readonly progress: () => Promise<number>
  readonly withinMs: number
}

/** Looks at a service until it has done everything. @throws Error when that takes too long */
export const follow = async ({ pid }: BenchService, { progress, withinMs }: Followed): Promise<Drained> => {
  const deadline = performance.now() + withinMs
  let start = { ms: performance.now(), cpuUs: cpuUs(pid) }
  for (;;) {
    // Taken before it is asked: what it answers may be a moment newer, and the time is rather told too long.
    const now = { ms: performance.now(), cpuUs: cpuUs(pid) }
    const done = await progress()
    if (done === 0) start = now
    if (done >= 1) return { seconds: (performance.now() - start.ms) / 1000, cpuUs: cpuUs(pid) - start.cpuUs }
    if (now.ms > deadline) throw new Error(`not drained within ${withinMs} ms`)
    // As long as it takes to come half-way to its end, at the rate so far.
    const leftMs = done === 0 ? 0 : ((now.ms - start.ms) * (1 - done)) / done
    await pause(Math.min(pollMs, Math.max(edgePollMs, leftMs / 2)))
  }
}
