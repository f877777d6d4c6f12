import { writeFileSync } from 'node:fs'
import type { Stack } from '../local/stack.ts'
import { threadsOf } from './background.ts'

const usualUs = 50
const lateUs = 1_000

/**
 * How late the kernel may wake the store's threads when they sleep for a time: `TimerSlackNSec` of a systemd service. A
 * Cassandra that is not busy has a worker that sleeps 10 µs, looks for work and sleeps again, and where waking up is dear,
 * as in a virtual machine, that takes a third of a core from whoever shares the machine. Woken late it takes next to
 * nothing, but then a request that comes while it sleeps waits for it: one after another they take twice as long. So each
 * design that is measured has what is best for it.
 */
export type StoreSlack = {
  /** For whoever has many requests under way, or shares the machine with others. */
  late(): void
  /** The kernel's own, for whoever has one request after another. */
  usual(): void
  /** For a figure's method: how the store was when it was late. */
  readonly told: string
}

export const openStoreSlack = ({ servers }: Pick<Stack, 'servers'>, say: (line: string) => void): StoreSlack => {
  const pids = servers.flatMap(({ server, process }) => (server === 'cassandra' && process ? [process.pid] : []))
  const set = (us: number): void => pids.forEach(pid => setTimerSlack(pid, us))
  try {
    set(usualUs)
  } catch (error) {
    say(`the store's timer slack stays as it is (${(error as Error).message}); whoever may set it is root`)
    return { late() {}, usual() {}, told: 'the store is woken as the kernel does by itself' }
  }
  const told = `the store may be woken ${lateUs / 1000} ms late (timer slack)`
  return { late: () => set(lateUs), usual: () => set(usualUs), told }
}

/** Every thread of a process; those that they start have it from them. */
const setTimerSlack = (pid: number, us: number): void => {
  for (const thread of threadsOf(pid)) {
    try {
      writeFileSync(`/proc/${thread}/timerslack_ns`, `${us * 1000}`)
    } catch (error) {
      // One that has ended since needs none.
      const { code = '' } = error as NodeJS.ErrnoException
      if (!['ENOENT', 'ESRCH'].includes(code)) throw error
    }
  }
}
