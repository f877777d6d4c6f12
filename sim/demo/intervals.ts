import type { Stack } from '../../local/stack.ts'
import type { Intervals } from '../pipeline/services.ts'

/** A store in a container keeps its image's own period, which is this at most. */
const containerSyncMs = 10_000

/** Short, so that within seconds a barrier and a closed window cover the engine's last output. */
export const demoIntervals = ({ servers }: Pick<Stack, 'servers'>): Intervals => ({
  tickMs: 250,
  barrierMs: 250,
  windowMs: 2000,
  flushMs: 500,
  storeSyncMs:
    servers.find(({ server }) => server === 'cassandra')?.settings['commitlogSyncPeriodMs'] ?? containerSyncMs,
  storeSyncMarginMs: 250,
})
