import { readFileSync } from 'node:fs'

export type Sample = { readonly atMs: number; readonly name: string; readonly mb: number }

export type MemoryVerdict = {
  readonly largestMb: number
  /** The largest of each quarter of the time under faults. */
  readonly quartersMb: readonly number[]
  readonly problems: readonly string[]
}

/** Resident memory of a process in MB; null when it is gone. */
export const residentMb = (pid: number): number | null => {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return match ? Number(match[1]) / 1024 : null
  } catch {
    return null
  }
}

export type MemoryBounds = {
  readonly limitMb: number
  /** How much the peak of the last quarter may exceed all before it. */
  readonly riseMb: number
  /** The calm after it is no part of the trend: there the whole backlog is caught up at once. */
  readonly faultsEndMs: number
}

/** In a shorter time the backlogs of its quarters have nothing in common. */
const shortestTrendMs = 60_000

/**
 * No sample above the limit, and no trend: each quarter of the time under random faults has backlogs to catch up, so
 * their peaks are the same but for chance.
 */
export const judgeMemory = (
  samples: readonly Sample[],
  { limitMb, riseMb, faultsEndMs }: MemoryBounds,
): MemoryVerdict => {
  const first = samples[0]?.atMs ?? 0
  const lengthMs = Math.max(1, faultsEndMs - first)
  const quartersMb = [0, 0, 0, 0]
  let largest: Sample | null = null
  for (const sample of samples) {
    const quarter = Math.floor(((sample.atMs - first) / lengthMs) * 4)
    if (quarter < 4) quartersMb[quarter] = Math.max(sample.mb, quartersMb[quarter] ?? 0)
    if (!largest || sample.mb > largest.mb) largest = sample
  }
  const before = Math.max(...quartersMb.slice(0, 3))
  const last = quartersMb[3] ?? 0
  const problems: string[] = []
  if (largest && largest.mb > limitMb)
    problems.push(`${largest.name} took ${largest.mb.toFixed(0)} MB, the limit is ${limitMb} MB`)
  if (lengthMs >= shortestTrendMs && last - before > riseMb)
    problems.push(
      `memory rises: ${before.toFixed(0)} MB at most in three quarters of the time, ${last.toFixed(0)} MB in the last; ${riseMb} MB more may be`,
    )
  return { largestMb: largest?.mb ?? 0, quartersMb, problems }
}

/** For whoever wants to look at the curves. */
export const csvOf = (samples: ReadonlyMap<string, readonly Sample[]>): string =>
  ['seconds,process,mb', ...[...samples.values()].flatMap(each => each.map(lineOf))].join('\n')

const lineOf = ({ atMs, name, mb }: Sample): string => `${(atMs / 1000).toFixed(1)},${name},${mb.toFixed(1)}`
