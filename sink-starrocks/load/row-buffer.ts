import type { Clock } from '../../runtime/clock.ts'
import type { Progress } from '../../runtime/reader/progress.ts'
import { Batch, type ProgressOwner } from './batch.ts'
import type { TableRow } from './rows.ts'

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

  /** Waits until a flush is due: too many rows, too many bytes, or the oldest has waited long enough. Null when aborted. */
  async due(signal: AbortSignal): Promise<FlushCause | null> {
    await untilAborted(this.#filled.promise, signal)
    if (signal.aborted) return null
    const leftMs = this.#rule.ms - (this.#clock.monotonicMs() - this.#sinceMs)
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
