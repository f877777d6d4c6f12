import { setTimeout as pause } from 'node:timers/promises'
import type { UserId } from '../../core/ids.ts'
import { readWallet } from '../../processor/settle/read-wallet.ts'
import type { CqlPort } from '../../runtime/cql/port.ts'
import type { Probe } from './paced-orders.ts'

/** More often, the looking would take from both sides a good part of what is measured. */
export const lookEveryMs = 20

/** Looks for deposits in the store, from the time they are due until they are there. */
export class Prober {
  readonly #cql: CqlPort
  readonly #signal: AbortSignal
  readonly #due = new Map<UserId, { readonly version: bigint; readonly dueMs: number }[]>()
  readonly #looking = new Set<Promise<void>>()
  readonly #latenciesMs: number[] = []

  constructor(cql: CqlPort, signal: AbortSignal) {
    this.#cql = cql
    this.#signal = signal
  }

  expect({ user, version }: Probe, dueMs: number): void {
    const waiting = this.#due.get(user)
    if (waiting) {
      waiting.push({ version, dueMs })
      return
    }
    this.#due.set(user, [{ version, dueMs }])
    const looking = this.#look(user)
    looking.catch(() => {})
    this.#looking.add(looking)
  }

  /** Once all are there: how long after they were due, in the order in which they were seen. */
  async seen(): Promise<readonly number[]> {
    await Promise.all(this.#looking)
    return this.#latenciesMs
  }

  async #look(user: UserId): Promise<void> {
    for (let waiting = this.#due.get(user) ?? []; waiting.length > 0; ) {
      // Such a user has one asset.
      const [cell] = (await readWallet(this.#cql, user, this.#signal)).values()
      const nowMs = performance.now()
      const seen = waiting.filter(({ version }) => version <= (cell?.version ?? 0n))
      for (const { dueMs } of waiting.splice(0, seen.length)) this.#latenciesMs.push(nowMs - dueMs)
      if (waiting.length > 0) await pause(lookEveryMs)
    }
    this.#due.delete(user)
  }
}
