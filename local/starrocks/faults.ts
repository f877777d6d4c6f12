import { z } from 'zod'

/**
 * What can go wrong with one load, as a client meets it:
 * - `drop-before-commit`: the body is taken, nothing is loaded, the connection is cut;
 * - `drop-after-commit`: everything is loaded, the connection is cut instead of an answer;
 * - `lost-label`: the same, and the label is forgotten, as if other loads had evicted it;
 * - `unknown-status`: everything is loaded, the answer is `Fail`, transaction status unknown;
 * - `publish-timeout`: the answer is `Publish Timeout` at once, the rows are there `ms` later;
 * - `publish-delay`: rows and answer are there `ms` later, the label is COMMITTED until then;
 * - `slow`: the backend takes `ms` before it asks for the body, and again before it answers;
 * - `full-disk`: the load fails and is rolled back.
 */
const publishing = ['publish-timeout', 'publish-delay'] as const
const sudden = ['drop-before-commit', 'drop-after-commit', 'lost-label', 'unknown-status', 'full-disk'] as const

const ms = z.int().min(0).max(600_000)
const scope = {
  /** How many loads it strikes. */
  times: z.int().min(1).max(1_000_000).default(1),
  /** Strikes loads of this table only, of whatever database. */
  table: z.string().min(1).optional(),
}
const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(publishing), ms, ...scope }),
  z.strictObject({ kind: z.literal('slow'), ms, ...scope }),
  z.strictObject({ kind: z.enum(sudden), ...scope }),
])

export type LoadFault = z.output<typeof fault>
export type FaultKind = LoadFault['kind']

/** Faults that wait for loads, in the order in which they were set; each load is struck by one at most. */
export class Faults {
  #waiting: LoadFault[] = []
  readonly #struck = new Map<FaultKind, number>()

  /** @throws z.ZodError for what is no fault */
  add(given: unknown): void {
    this.#waiting.push(...z.array(fault).parse(Array.isArray(given) ? given : [given]))
  }

  clear(): void {
    this.#waiting = []
  }

  /** What strikes a load of this table, if anything does. */
  strike(table: string): LoadFault | undefined {
    const index = this.#waiting.findIndex(each => each.table === undefined || each.table === table)
    const struck = this.#waiting[index]
    if (!struck) return undefined
    if (struck.times === 1) this.#waiting.splice(index, 1)
    else this.#waiting[index] = { ...struck, times: struck.times - 1 }
    this.#struck.set(struck.kind, (this.#struck.get(struck.kind) ?? 0) + 1)
    return struck
  }

  get state(): { readonly waiting: readonly LoadFault[]; readonly struck: Readonly<Record<string, number>> } {
    return { waiting: this.#waiting, struck: Object.fromEntries(this.#struck) }
  }
}
