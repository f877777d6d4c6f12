import { setTimeout as delay } from 'node:timers/promises'

/** The end of all faults: whoever waits within one is let go. */
export class Calm {
  readonly #come = new AbortController()

  begin(): void {
    this.#come.abort()
  }

  /** Until so much later, or the calm. */
  async pause(ms: number): Promise<null> {
    await delay(ms, null, { signal: this.#come.signal }).catch(() => null)
    return null
  }
}
