import type { Stack } from '../../local/stack.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import { openMysql } from '../../runtime/starrocks/mysql.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
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
