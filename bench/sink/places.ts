import type { Stack } from '../../local/stack.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { migrations } from '../../schemas/starrocks/migrations.ts'
import { exchangeSize } from '../settle/exchange.ts'

type StarRocks = Stack<'starrocks'>['starrocks']

export const openBenchSql = ({ mysqlHost, mysqlPort, user, password }: StarRocks, database?: string): SqlPort =>
  openMysql({ address: `${mysqlHost}:${mysqlPort}`, user, password, ...(database !== undefined && { database }) })

/** The same tables and views once more, for rows that no stream brings. */
export const makeDatabase = (starrocks: StarRocks, database: string): Promise<unknown> =>
  migrateStarRocks({
    openSql: chosen => openBenchSql(starrocks, chosen),
    database,
    stream: database,
    partitions: exchangeSize.partitions,
    replicationNum: 1,
    mode: 'apply',
  })

/**
 * Leaves a database its tables alone: the stand-in rebuilds the views of all databases each minute, which takes it
 * seconds of both cores, of whatever is measured just then.
 */
export const dropViews = async (starrocks: StarRocks, database: string): Promise<void> => {
  const sql = openBenchSql(starrocks, database)
  try {
    const views = migrations.flatMap(({ statements }) =>
      statements.flatMap(statement => /^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? []),
    )
    // The last first: they build on one another.
    for (const view of views.toReversed()) await sql.query(`DROP MATERIALIZED VIEW ${view}`)
  } finally {
    await sql.close()
  }
}
