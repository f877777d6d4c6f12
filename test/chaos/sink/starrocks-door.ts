import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { StarRocksFault } from './faults.ts'

const stateShape = z.object({
  frontend: z.enum(['up', 'down']),
  faults: z.object({ struck: z.record(z.string(), z.number()) }),
})

const pollMs = 100
/** After the time that it is to be down. */
const upWithinMs = 30_000

/** The stand-in's admin door: sets what is to go wrong with loads, and tells what did. */
export class StarRocksDoor {
  readonly #address: string
  /** How many strikes of each kind were ever asked for. */
  readonly #asked = new Map<string, number>()

  constructor(address: string) {
    this.#address = address
  }

  /** Resolves when all loads were struck that it is for, or the bound is over; true when one was at least. */
  async strike(fault: StarRocksFault, { withinMs }: { readonly withinMs: number }): Promise<boolean> {
    const before = this.#asked.get(fault.kind) ?? 0
    const all = before + fault.times
    this.#asked.set(fault.kind, all)
    await this.#ask('POST', '/faults', fault)
    const endMs = performance.now() + withinMs
    // Faults of one kind strike in the order in which they were set, so their number tells whose turn it is.
    for (;;) {
      const struck = (await this.struck())[fault.kind] ?? 0
      if (struck >= all || performance.now() > endMs) return struck > before
      await delay(pollMs)
    }
  }

  /** Resolves when the frontend's doors are open again. */
  async restartFrontend(downMs: number): Promise<void> {
    await this.#ask('POST', '/frontend/restart', { downMs })
    await delay(downMs)
    const endMs = performance.now() + upWithinMs
    while ((await this.#state()).frontend === 'down') {
      if (performance.now() > endMs) throw new Error(`the frontend is not up again after ${downMs} + ${upWithinMs} ms`)
      await delay(pollMs)
    }
  }

  /** Takes back what has not struck. */
  async clear(): Promise<void> {
    await this.#ask('DELETE', '/faults')
  }

  /** How often each kind of fault struck. */
  async struck(): Promise<Readonly<Record<string, number>>> {
    return (await this.#state()).faults.struck
  }

  async #state(): Promise<z.output<typeof stateShape>> {
    return stateShape.parse(await this.#ask('GET', '/'))
  }

  async #ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#address}${path}`, {
      method,
      // One kept alive may be closed by the other side in the moment in which it is used again.
      headers: { connection: 'close' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${path} at the stand-in: ${response.status} ${JSON.stringify(answer)}`)
    return answer
  }
}
