import { runSeed, type SeedResult } from './run-seed.ts'

/** What a worker hands back of a seed: all of it that can be sent. */
export type WorkerAnswer = Omit<SeedResult, 'reached' | 'faults'> & {
  readonly reached: readonly (readonly [string, number])[]
  readonly faults: readonly (readonly [string, number])[]
  readonly cpuS: number
}

/** A worker is given seeds, one at a time, until nobody is there any more. */
process.on('message', (seed: number) => {
  const start = process.cpuUsage()
  runSeed(seed).then(
    ({ reached, faults, lines, ...rest }) => {
      const { user, system } = process.cpuUsage(start)
      const isBad = rest.violations.length > 0
      const answer: WorkerAnswer = {
        ...rest,
        lines: isBad ? lines : [],
        reached: [...reached],
        faults: [...faults],
        cpuS: (user + system) / 1e6,
      }
      process.send?.(answer)
    },
    (error: unknown) => {
      throw error
    },
  )
})
