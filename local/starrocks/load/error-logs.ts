import { randomUUID } from 'node:crypto'
import { limits } from '../limits.ts'

/** The rows that loads refused, for the ErrorURL of their answers; the oldest logs are forgotten first. */
export class ErrorLogs {
  readonly #logs = new Map<string, readonly string[]>()

  add(lines: readonly string[]): string {
    const name = `error_log_${randomUUID().replaceAll('-', '')}`
    this.#logs.set(name, lines)
    for (const oldest of this.#logs.keys()) {
      if (this.#logs.size <= limits.errorLogs) break
      this.#logs.delete(oldest)
    }
    return name
  }

  get(name: string): string | undefined {
    const lines = this.#logs.get(name)
    return lines && `${lines.join('\n')}\n`
  }
}
