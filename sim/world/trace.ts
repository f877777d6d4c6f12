import { pino } from 'pino'
import type { Log } from '../../runtime/log.ts'
import type { Timeline } from './timeline.ts'

export type TraceLine = { readonly atMs: number; readonly who: string; readonly text: string }

const levels: Readonly<Record<number, string>> = { 30: '', 40: 'WARN ', 50: 'ERROR ', 60: 'FATAL ' }

/** What happened, in an order that is the same each time: the lines for people, and a hash over everything. */
export class Trace {
  readonly lines: TraceLine[] = []
  readonly #timeline: Timeline
  #hash = 0x811c9dc5

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  /** A line for people. */
  tell(who: string, text: string): void {
    this.lines.push({ atMs: this.#timeline.monotonicMs(), who, text })
    this.mix(`${who} ${text}`)
  }

  /** What is too small for a line still counts: two runs that differ in it are not the same. */
  mix(text: string): void {
    let hash = this.#hash ^ Math.round(this.#timeline.monotonicMs() * 1000)
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    this.#hash = hash
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** A service's log, which goes into the trace. `heard` is told of each line's message and fields. */
  logOf(who: string, heard: (message: string, fields: Readonly<Record<string, unknown>>) => void): Log {
    return pino({
      level: 'info',
      hooks: {
        logMethod: (args: readonly unknown[], _method, level) => {
          const [first, second] = args
          const fields = (typeof first === 'object' ? first : {}) as Readonly<Record<string, unknown>>
          const message = typeof first === 'string' ? first : typeof second === 'string' ? second : ''
          this.tell(who, `${levels[level] ?? ''}${message}${shownFields(fields)}`)
          heard(message, fields)
        },
      },
    })
  }
}

const shownFields = (fields: Readonly<Record<string, unknown>>): string => {
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${shownField(value)}`)
  return shown.length === 0 ? '' : ` (${shown.join(' ')})`
}

const shownField = (value: unknown): string => {
  if (value instanceof Error) return value.message
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each)) ?? ''
}

/** `12.345 settle-2 …`, in seconds. */
export const lineText = ({ atMs, who, text }: TraceLine): string =>
  `${(atMs / 1000).toFixed(3).padStart(8)} ${who.padEnd(14)} ${text}`
