import { createWriteStream, type WriteStream } from 'node:fs'
import type { Line } from './supervised.ts'

const told = 25

/** What happened when, as a file for whoever looks for the cause of a violation, and its last lines for the report. */
export class Trace {
  readonly #file: WriteStream
  readonly #startMs = performance.now()
  readonly #violations: string[] = []
  readonly #recent: string[] = []

  constructor(path: string) {
    this.#file = createWriteStream(path, { flags: 'a' })
  }

  /** Since the trace began. */
  get nowMs(): number {
    return performance.now() - this.#startMs
  }

  get violations(): readonly string[] {
    return this.#violations
  }

  note(text: string): void {
    const line = `${new Date().toISOString()} ${(this.nowMs / 1000).toFixed(3).padStart(8)} ${text}`
    this.#file.write(`${line}\n`)
    this.#recent.push(line)
    if (this.#recent.length > told) this.#recent.shift()
  }

  /** What a process logged, but for the finest. */
  log(name: string, { msg, level }: Line): void {
    if (typeof msg === 'string' && level !== 'debug') this.note(`${name} ${String(level)}: ${msg}`)
  }

  /** `shown`: what went before it, when the moment says something about the cause. */
  violate(text: string, { shown }: { readonly shown: 'with the lines before' | 'alone' }): void {
    const before = shown === 'alone' ? [] : this.#recent.slice(-8)
    this.note(`VIOLATION ${text}`)
    this.#violations.push([text, ...before.map(line => `    ${line}`)].join('\n'))
  }

  close(): Promise<void> {
    return new Promise(resolve => this.#file.end(() => resolve()))
  }
}
