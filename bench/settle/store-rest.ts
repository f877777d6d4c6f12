import { setTimeout as delay } from 'node:timers/promises'
import type { CqlPort } from '../../runtime/cql/port.ts'

const lookEveryMs = 200

/**
 * Until the store has merged what it was given: whoever writes next would pay for whoever wrote before.
 * @throws Error when it goes on for too long
 */
export const untilStoreRests = async (cql: CqlPort, { withinMs }: { readonly withinMs: number }): Promise<void> => {
  const untilMs = performance.now() + withinMs
  while ((await cql.query('SELECT keyspace_name, table_name, kind FROM system_views.sstable_tasks')).length > 0) {
    if (performance.now() > untilMs) throw new Error(`the store still compacts after ${withinMs} ms`)
    await delay(lookEveryMs)
  }
}
