import { readdir } from 'node:fs/promises'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import type { EngineDump } from './engine-dump.ts'
import { textTable } from './text-table.ts'

/** What went through, in one table: counts by the engine's own word, beside what the stores hold of it. */
export const summary = async (options: {
  readonly dump: EngineDump
  readonly sql: SqlPort
  readonly archiveDir: string
}): Promise<string> => {
  const { dump, sql, archiveDir } = options
  const [postings, files] = await Promise.all([
    sql.query('SELECT count(*) AS many FROM ledger'),
    readdir(archiveDir, { recursive: true }),
  ])
  const states = Object.entries(dump.orderStates).filter(([, count]) => count !== '0')
  const csv = files.filter(name => name.endsWith('.csv')).length
  return textTable(
    ['', 'count'],
    [
      ['outputs of the engine', dump.outputs],
      ['trades', dump.trades],
      ...states.map(([state, count]) => [`orders that are ${state}`, count]),
      ['postings', String(postings[0]?.['many'] ?? 0)],
      ['balances', `${dump.balances.length}`],
      ['CSV files', `${csv}`],
    ],
  )
}
