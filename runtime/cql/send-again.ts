import { Bag, type Kept } from '../bag.ts'
import type { Clock } from '../clock.ts'
import { InFlight } from '../in-flight.ts'
import type { Log } from '../log.ts'
import { classifyCql } from './classify.ts'
import { errorText } from './error-text.ts'
import { cqlLimits } from './limits.ts'
import { CqlFailure } from './port.ts'

export type SendAgainOptions = {
  /** Requests under way at once, over all callers. */
  readonly inFlight: number
  readonly log: Log
  readonly clock: Clock
  /** Told of each attempt that failed and is made again, by its code. */
  readonly onRetry?: (code: string) => void
  /** A bound that tests shorten. */
  readonly tryForMs?: number
}

/** A request that whoever made it may give up. */
type Waiting = { readonly what: string; readonly reject: (error: CqlFailure) => void }

const givenUp = (what: string): CqlFailure =>
  new CqlFailure('aborted', 'aborted', `given up before it was acknowledged: ${what}`)

/** Makes requests of the store until they succeed, are refused, or last too long; a bounded number at once. */
export class SendAgain {
  readonly #options: SendAgainOptions
  /** The driver itself has no backpressure: it refuses or drowns. */
  readonly #inFlight: InFlight
  readonly #aborts = new WeakMap<AbortSignal, Bag<Waiting>>()
  #toldMs = Number.NEGATIVE_INFINITY
  /** Requests that failed since the last line about it. */
  #untold = 0

  constructor(options: SendAgainOptions) {
    this.#options = options
    this.#inFlight = new InFlight(options.inFlight)
  }

  /** `what`: the statement, for messages. @throws CqlFailure */
  async until<T>(signal: AbortSignal | undefined, what: string, request: () => Promise<T>): Promise<T> {
    const { clock } = this.#options
    const start = clock.monotonicMs()
    let waitMs: number = cqlLimits.firstRetryMs
    for (;;) {
      const place = this.#inFlight.enter()
      if (place) await place
      let kept: Kept<Waiting> | undefined
      try {
        if (!signal) return await request()
        if (signal.aborted) throw givenUp(what)
        // An answer that comes after the abort is of no use any more; nobody waits for it.
        const { promise, resolve, reject } = Promise.withResolvers<T>()
        kept = this.#waitingFor(signal).add({ what, reject })
        request().then(resolve, reject)
        return await promise
      } catch (error) {
        this.#checkAgain(error, what, Math.round(clock.monotonicMs() - start))
      } finally {
        this.#inFlight.leave()
        if (kept && signal) this.#waitingFor(signal).remove(kept)
      }
      await clock.sleep(waitMs, signal)
      waitMs = Math.min(waitMs * 2, cqlLimits.lastRetryMs)
    }
  }

  /** @throws CqlFailure unless what failed is to be made again */
  #checkAgain(error: unknown, what: string, triedMs: number): void {
    const { onRetry, tryForMs = cqlLimits.tryForMs } = this.#options
    if (error instanceof CqlFailure) throw error
    const { kind, code } = classifyCql(error)
    if (kind === 'refused')
      throw new CqlFailure('refused', code, `the store refuses (${code}: ${errorText(error)}): ${what}`, {
        cause: error,
      })
    if (triedMs >= tryForMs)
      throw new CqlFailure('silent', code, `not acknowledged within ${triedMs} ms (${code}): ${what}`, {
        cause: error,
      })
    onRetry?.(code)
    this.#tellRetry({ code, triedMs, statement: what })
  }

  /** One listener for all requests of a signal: there are thousands a second, and few signals. */
  #waitingFor(signal: AbortSignal): Bag<Waiting> {
    const known = this.#aborts.get(signal)
    if (known) return known
    const waiting = new Bag<Waiting>()
    this.#aborts.set(signal, waiting)
    signal.addEventListener('abort', () => waiting.values().forEach(({ what, reject }) => reject(givenUp(what))), {
      once: true,
    })
    return waiting
  }

  /** An outage fails every request under way again and again: one line a second tells of all of them. */
  #tellRetry(fields: { readonly code: string; readonly triedMs: number; readonly statement: string }): void {
    this.#untold++
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#toldMs < cqlLimits.tellEveryMs) return
    this.#options.log.warn({ ...fields, failed: this.#untold }, 'the store did not acknowledge; sending again')
    this.#toldMs = nowMs
    this.#untold = 0
  }
}
