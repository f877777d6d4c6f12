import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

const niceness = 10

/** What `nice -n 10` would have done: every thread of the process, and those it starts, yield to the others. */
export const yieldToOthers = (pid: number): void => {
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), niceness)
}
