import { mean } from '../statistics.ts'
import { residentMb } from '../process-stats.ts'
import { type Onlooker, pollMs } from './drain.ts'

/** Not more often where a drain is looked at more often: no stretch weighs more than another. */
export const sampleMs = pollMs

export type MemoryAlong = { readonly maxMb: number; readonly atTenthMb: number; readonly atEndMb: number }

/** Resident memory of settle along a drain, by how many records it had read. */
export class MemoryOfDrain implements Onlooker {
  readonly #samples: { readonly records: number; readonly mb: number }[] = []
  #nextMs = 0

  look(records: number, pid: number): void {
    if (performance.now() < this.#nextMs) return
    this.#nextMs = performance.now() + sampleMs
    this.#samples.push({ records, mb: residentMb(pid) })
  }

  /** Of a drain that read so many records. */
  along(records: number): MemoryAlong {
    return memoryAlong(this.#samples, records)
  }
}

/** Means of what was seen from 5 to 15 % of the records, and over the last tenth. */
export const memoryAlong = (
  samples: readonly { readonly records: number; readonly mb: number }[],
  records: number,
): MemoryAlong => {
  const between = (from: number, to: number): number =>
    mean(samples.filter(each => each.records >= from * records && each.records <= to * records).map(each => each.mb))
  return { maxMb: Math.max(...samples.map(each => each.mb)), atTenthMb: between(0.05, 0.15), atEndMb: between(0.9, 1) }
}
