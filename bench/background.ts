import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

const niceness = 10

export const threadsOf = (pid: number): readonly string[] => readdirSync(`/proc/${pid}/task`)

/** What `nice -n 10` would have done: every thread of the process, and those it starts, yield to the others. */
export const yieldToOthers = (pid: number): void => {
  for (const thread of threadsOf(pid)) setPriority(Number(thread), niceness)
}
