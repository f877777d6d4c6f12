import type { Clock } from '../../runtime/clock.ts'

type Event = { readonly atMs: number; readonly order: number; run: (() => void) | null }

/** 2026-01-01T00:00:00Z. */
const startUs = 1_767_225_600_000_000n
/** Promises need the event loop's own turn now and then, or what was rejected unheard is never told. */
const turnsBetweenRests = 64

/**
 * Time that passes when nothing is left to do at a moment: events in the order of their time, and of their planning where
 * it is the same. Between two events everything that can go on without time passing goes on. Nothing here looks at the
 * machine's clock, so the same plans give the same run, anywhere.
 */
export class Timeline implements Clock {
  readonly #heap: Event[] = []
  #nowMs = 0
  #planned = 0
  #turns = 0

  /** Events so far. */
  get turns(): number {
    return this.#turns
  }

  nowUs(): bigint {
    return startUs + BigInt(Math.round(this.#nowMs * 1000))
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const event = this.#plan(ms, () => {
        signal?.removeEventListener('abort', wake)
        resolve()
      })
      const wake = (): void => {
        event.run = null
        resolve()
      }
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  /** Does something later. */
  after(ms: number, run: () => void): void {
    this.#plan(ms, run)
  }

  /** Lets time pass until a condition holds, at most so long; tells whether it holds. */
  async pass(mostMs: number, until: () => boolean = () => false): Promise<boolean> {
    const endMs = this.#nowMs + mostMs
    await this.#settled()
    while (!until()) {
      const event = this.#heap[0]
      if (!event || event.atMs > endMs) {
        this.#nowMs = endMs
        return until()
      }
      this.#pop()
      if (!event.run) continue
      this.#nowMs = Math.max(this.#nowMs, event.atMs)
      event.run()
      await this.#settled()
    }
    return true
  }

  /** Everything that waits for no time has happened. */
  #settled(): Promise<void> {
    this.#turns++
    return new Promise(resolve => {
      if (this.#turns % turnsBetweenRests === 0) setImmediate(resolve)
      else process.nextTick(resolve)
    })
  }

  #plan(ms: number, run: () => void): Event {
    const event: Event = { atMs: this.#nowMs + Math.max(0, ms), order: this.#planned++, run }
    let at = this.#heap.push(event) - 1
    for (let parent = (at - 1) >> 1; at > 0 && before(event, this.#heap[parent] as Event); parent = (at - 1) >> 1) {
      this.#heap[at] = this.#heap[parent] as Event
      at = parent
    }
    this.#heap[at] = event
    return event
  }

  #pop(): void {
    const last = this.#heap.pop() as Event
    const count = this.#heap.length
    if (count === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && before(this.#heap[child + 1] as Event, this.#heap[child] as Event)) child++
      if (!before(this.#heap[child] as Event, last)) break
      this.#heap[at] = this.#heap[child] as Event
      at = child
    }
    this.#heap[at] = last
  }
}

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
