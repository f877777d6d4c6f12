import type { Clock } from '../clock.ts'

type Sleeper = { readonly atMs: number; readonly wake: () => void }

/** Time that passes as soon as everybody waits for it: what sleeps longest wakes last. */
export class TestClock implements Clock {
  #nowMs = 0
  readonly #sleepers = new Set<Sleeper>()
  #ticking = false

  nowUs(): bigint {
    return 1_700_000_000_000_000n + BigInt(Math.round(this.#nowMs * 1000))
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', sleeper.wake, { once: true })
      this.#tick()
    })
  }

  /** Everything that can run without time passing runs first. */
  #tick(): void {
    if (this.#ticking) return
    this.#ticking = true
    setImmediate(() => {
      this.#ticking = false
      let next: Sleeper | null = null
      for (const sleeper of this.#sleepers) if (!next || sleeper.atMs < next.atMs) next = sleeper
      if (!next) return
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.wake()
      this.#tick()
    })
  }
}
