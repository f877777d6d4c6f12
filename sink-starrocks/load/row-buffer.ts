import type { Clock } from '../../runtime/clock.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { Batch, type ProgressOwner } from './batch.ts'
import { limits } from './limits.ts'
import type { TableRow } from './rows.ts'

/** `ms`: from one flush by time to the next. */
export type FlushRule = { readonly rows: number; readonly bytes: number; readonly ms: number }
export type FlushCause = 'rows' | 'bytes' | 'time'

/**
 * The batch that fills while those before it are being loaded. Full means that a flush is due and that no more is
 * taken until it was handed over: together with those on their way this is all that is ever in memory.
 */
export class RowBuffer {
  readonly #clock: Clock
  readonly #rule: FlushRule
  #batch = new Batch()
  #sinceMs = 0
  #takenMs = Number.NEGATIVE_INFINITY
  #filled = Promise.withResolvers<void>()
  #full = Promise.withResolvers<void>()
  #emptied = Promise.withResolvers<void>()

  constructor(clock: Clock, rule: FlushRule) {
    this.#clock = clock
    this.#rule = rule
  }

  get batch(): Batch {
    return this.#batch
  }

  /** Takes a record's rows; resolves once more may come, or the signal is aborted. */
  async add(
    owner: ProgressOwner,
    progress: Progress,
    { rows, signal }: { readonly rows: readonly TableRow[]; readonly signal: AbortSignal },
  ): Promise<void> {
    while (this.#fullBy() !== null) {
      await untilAborted(this.#emptied.promise, signal)
      if (signal.aborted) return
    }
    if (this.#batch.records === 0) {
      this.#sinceMs = this.#clock.monotonicMs()
      this.#filled.resolve()
    }
    this.#batch.add(owner, progress, rows)
    if (this.#fullBy() !== null) this.#full.resolve()
  }

  /**
   * Waits until a flush is due: too many rows, too many bytes, or the last flush is long enough ago. What comes after a
   * pause waits for no more than what comes with it. Null when aborted.
   */
  async due(signal: AbortSignal): Promise<FlushCause | null> {
    await untilAborted(this.#filled.promise, signal)
    if (signal.aborted) return null
    const { ms } = this.#rule
    const dueMs = Math.max(this.#takenMs + ms, this.#sinceMs + Math.min(limits.gatherMs, ms))
    const leftMs = dueMs - this.#clock.monotonicMs()
    if (leftMs > 0 && this.#fullBy() === null) {
      const early = new AbortController()
      await Promise.race([
        untilAborted(this.#full.promise, signal),
        this.#clock.sleep(leftMs, AbortSignal.any([signal, early.signal])),
      ])
      early.abort()
    }
    return signal.aborted ? null : (this.#fullBy() ?? 'time')
  }

  /** Hands over what there is and starts anew. */
  take(): Batch {
    const taken = this.#batch
    this.#takenMs = this.#clock.monotonicMs()
    this.#batch = new Batch()
    const emptied = this.#emptied
    this.#filled = Promise.withResolvers()
    this.#full = Promise.withResolvers()
    this.#emptied = Promise.withResolvers()
    emptied.resolve()
    return taken
  }

  #fullBy(): FlushCause | null {
    if (this.#batch.rows >= this.#rule.rows) return 'rows'
    return this.#batch.bytes >= this.#rule.bytes ? 'bytes' : null
  }
}

const untilAborted = async (promise: Promise<unknown>, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return
  const aborted = Promise.withResolvers<void>()
  const onAbort = (): void => aborted.resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
