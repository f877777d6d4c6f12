import { setTimeout as pause } from 'node:timers/promises'
import type { Pos } from '../../core/ids.ts'
import type { KafkaPort } from '../../runtime/kafka/port.ts'
import type { StreamNames } from '../../runtime/names.ts'
import { fromCommitted } from '../../runtime/reader/progress.ts'
import { sumsOfMetrics } from '../../sim/pipeline/metrics-text.ts'
import { cpuUs } from '../process-stats.ts'
import { byLabel } from './metrics.ts'
import { BenchService, type Place } from './service.ts'
import { closingBarriers, offsetOfLast } from './tails.ts'

/** An answer with all metrics costs the service some milliseconds, which are no part of its work. */
const pollMs = 250
const closeWithinMs = 30_000
const commitWithinMs = 60_000

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

export type Settled = Drained & {
  readonly rows: number
  readonly records: number
  /** Of all records, what the time and the CPU are of. */
  readonly share: number
}

/** Something that looks on while settle drains. */
export type Onlooker = { look(records: number, pid: number): void }

/**
 * settle on what `user.outputs` holds, up to the barriers that end it: all of it acknowledged by the store. The commits
 * of offsets that follow are waited for, and are no part of the time.
 * @throws Error when a user was parked, an interval is not conserved, or anything else was wrong
 */
export const drainBySettle = async (
  place: Place,
  options: {
    readonly kafka: KafkaPort
    readonly names: StreamNames
    readonly ends: ReadonlyMap<number, Pos>
    readonly withinMs: number
    /** What comes first is not measured: a process that has just started compiles itself, and knows no wallet. */
    readonly warmUpRecords?: number
    readonly onlooker?: Onlooker
  },
): Promise<Settled> => {
  const { kafka, names, ends, withinMs, warmUpRecords = 1, onlooker } = options
  const service = await BenchService.start('settle', place)
  try {
    let text = ''
    let before = 0
    const progress = async () => {
      text = await service.metrics()
      const sums = sumsOfMetrics(text)
      const records = sums.get('settle_settle_records_total') ?? 0
      onlooker?.look(records, service.pid)
      if (!sums.get('settle_settle_rows_total') || records < warmUpRecords) {
        before = records
        return 'nothing'
      }
      const acknowledged = byLabel(text, 'settle_settle_last_pos', 'partition')
      return [...ends].every(([partition, pos]) => acknowledged.get(`${partition}`) === Number(pos)) ? 'all' : 'some'
    }
    const drained = await follow(service, { progress, withinMs })
    await untilCommitted(kafka, names, ends)
    requireGood(await service.metrics())
    await service.stop()
    const sums = sumsOfMetrics(text)
    const records = sums.get('settle_settle_records_total') ?? 0
    return {
      ...drained,
      rows: sums.get('settle_settle_rows_total') ?? 0,
      records,
      share: 1 - before / records,
    }
  } finally {
    await service.kill()
  }
}

type Progress = 'nothing' | 'some' | 'all'

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

const untilCommitted = async (
  kafka: KafkaPort,
  { groups, topics }: StreamNames,
  ends: ReadonlyMap<number, Pos>,
): Promise<void> => {
  const deadline = performance.now() + commitWithinMs
  for (;;) {
    const committed = await kafka.committed({ group: groups.settle, topic: topics.users })
    const at = (partition: number): bigint | undefined => {
      const offset = committed.get(partition)
      return offset && fromCommitted(offset)?.pos
    }
    if ([...ends].every(([partition, pos]) => at(partition) === pos)) return
    if (performance.now() > deadline)
      throw new Error(`settle has not committed all that it acknowledged within ${commitWithinMs} ms`)
    await pause(pollMs)
  }
}

/** What would make a rate worthless. */
const requireGood = (text: string): void => {
  const sums = sumsOfMetrics(text)
  const zero = [
    'settle_settle_parked_users',
    'settle_settle_parkings_total',
    'settle_settle_conservation_alarm',
    'settle_settle_restarts_total',
    'settle_settle_errors_total',
  ]
  const wrong = zero.filter(name => (sums.get(name) ?? 0) !== 0).map(name => `${name} ${sums.get(name)}`)
  const unequal = byLabel(text, 'settle_settle_intervals_total', 'result').get('unequal') ?? 0
  if (unequal > 0) wrong.push(`${unequal} intervals not conserved`)
  if (wrong.length > 0) throw new Error(`settle did not do it well, so its rate says nothing: ${wrong.join(', ')}`)
}
