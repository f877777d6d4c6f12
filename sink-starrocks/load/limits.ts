import { starrocksLimits } from '../../runtime/starrocks/limits.ts'
import type { FlushRule } from './row-buffer.ts'

/** Bounds of this service that are nobody's to set; settings have their own in settings.ts. */
export const limits = {
  /** Records that come one by one are fetched some together: a small part of any FLUSH_MS that StarRocks bears. */
  gatherMs: 50,
  /** Tables whose loads are under way at the same time. */
  tablesInFlight: 3,
  /** Waits between attempts grow from the first to the longest. */
  firstBackoffMs: 100,
  longestBackoffMs: 5_000,
  /** A load that can't be brought to its end for so long ends the process, for a supervisor to start it anew. */
  giveUpAfterMs: 600_000,
  /** How long a committed load is waited for to become visible. */
  visibleWithinMs: 30_000,
  /** A partition whose progress can't be committed for so long ends the process. */
  commitWithinMs: 120_000,
  /** When nothing was begun and nothing brought to its end for so long, though something is under way, it is not well. */
  stuckAfterMs: 60_000,
  /** What is under way when the service is told to stop may take so long, then it is cut. */
  closeWithinMs: 5_000,
  /** FLUSH_BYTES at most: one batch fills while two others are loaded, and bodies are made from them. */
  maxFlushBytes: 64 * 1024 * 1024,
} as const

/** Relations between settings and limits that must hold; each entry is a problem in words. */
export const relationProblems = ({
  rule,
  loadTimeoutMs,
  drainTimeoutMs,
}: {
  readonly rule: FlushRule
  readonly loadTimeoutMs: number
  readonly drainTimeoutMs: number
}): string[] => {
  const attemptMs = loadTimeoutMs + starrocksLimits.answerMarginMs + starrocksLimits.stateTimeoutMs
  const problems: string[] = []
  if (attemptMs >= limits.giveUpAfterMs)
    problems.push(
      `LOAD_TIMEOUT_MS=${loadTimeoutMs}: an attempt and the question after it may take ${attemptMs} ms, and a load is given up after ${limits.giveUpAfterMs} ms; make it shorter`,
    )
  if (rule.ms > loadTimeoutMs)
    problems.push(`FLUSH_MS=${rule.ms} is longer than LOAD_TIMEOUT_MS=${loadTimeoutMs}; make one of them fit`)
  if (drainTimeoutMs <= limits.closeWithinMs)
    problems.push(
      `DRAIN_TIMEOUT_MS=${drainTimeoutMs}: a load under way is given ${limits.closeWithinMs} ms to end; make it longer`,
    )
  return problems
}
