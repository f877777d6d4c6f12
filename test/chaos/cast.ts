import { join } from 'node:path'
import { judgeExit, type Mends } from './exits.ts'
import { residentMb, type Sample } from './memory.ts'
import { type Exit, Supervised, type SupervisedOptions } from './supervised.ts'
import type { Trace } from './trace.ts'

export type Part = Pick<SupervisedOptions, 'entry' | 'env' | 'onLine'> & {
  /** `settle-2`: its kind is what stands before the first dash. */
  readonly name: string
  readonly onStart?: () => void
  /** After its end was judged. */
  readonly onExit?: (exit: Exit) => void
  readonly gate?: () => Promise<void>
  /** What a restart mends, besides an outage of Kafka. */
  readonly mends?: Mends
}

/** The processes of a run: each is logged, traced, measured, and its end judged. */
export class Cast {
  /** How often each kind ended how. */
  readonly exits = new Map<string, number>()
  /** Looks at the memory, by kind. */
  readonly samples = new Map<string, Sample[]>()
  readonly #starts = new Map<string, number>()
  readonly #processes = new Set<Supervised>()
  readonly #dir: string
  readonly #trace: Trace

  /** `dir`: where the logs are written. */
  constructor({ dir, trace }: { readonly dir: string; readonly trace: Trace }) {
    this.#dir = dir
    this.#trace = trace
  }

  add({ name, entry, env, onLine, onStart, onExit, gate, mends }: Part): Supervised {
    const process = new Supervised({
      ...{ name, entry, onLine },
      // Each entry is compiled once and started many times: half of a start's work, as an image in production has it.
      env: () => ({ ...env(), NODE_COMPILE_CACHE: join(this.#dir, 'compiled') }),
      logFile: join(this.#dir, `${name}.log`),
      onStart: pid => {
        this.#starts.set(kindOf(name), this.starts(kindOf(name)) + 1)
        this.#trace.note(`${name} started, pid ${pid}`)
        onStart?.()
      },
      onExit: exit => {
        this.#judge(exit, mends)
        onExit?.(exit)
      },
      gate: gate ?? (() => Promise.resolve()),
    })
    this.#processes.add(process)
    return process
  }

  /** Ends one for good. */
  async retire(process: Supervised, options: Parameters<Supervised['retire']>[0]): Promise<void> {
    await process.retire(options)
    this.#processes.delete(process)
  }

  starts(kind: string): number {
    return this.#starts.get(kind) ?? 0
  }

  samplesOf(kind: string): readonly Sample[] {
    return this.samples.get(kind) ?? []
  }

  sampleMemory(): void {
    const atMs = this.#trace.nowMs
    for (const { pid, name } of this.#processes) {
      const mb = pid === null ? null : residentMb(pid)
      if (mb === null) continue
      const kind = kindOf(name)
      const samples = this.samples.get(kind) ?? []
      if (samples.length === 0) this.samples.set(kind, samples)
      samples.push({ atMs, name, mb })
    }
  }

  #judge(exit: Exit, mends?: Mends): void {
    const verdict = judgeExit(exit, mends)
    const key = `${kindOf(exit.name)}: ${verdict.how}`
    this.exits.set(key, (this.exits.get(key) ?? 0) + 1)
    this.#trace.note(`${exit.name} ended ${verdict.how} after ${(exit.livedMs / 1000).toFixed(1)} s`)
    if (verdict.kind === 'violation') this.#trace.violate(verdict.message, { shown: 'with the lines before' })
  }
}

const kindOf = (name: string): string => name.replace(/-.*/, '')
