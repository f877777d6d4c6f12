import { checkDatabase } from '../../runtime/starrocks/check-database.ts'
import { migrateStarRocks } from '../../runtime/starrocks/migrate.ts'
import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import { Stop } from '../../runtime/stop.ts'
import { type Finding, missing, present, refused } from './finding.ts'

export type StarRocksTarget = {
  readonly openSql: (database?: string) => SqlPort
  readonly database: string
  readonly stream: string
  readonly partitions: number
  readonly replicationNum: number
}

/** Compares the database, its tables and its views with what the stream needs. */
export const inspectStarRocks = async (target: StarRocksTarget): Promise<readonly Finding[]> => {
  const thing = `database ${target.database}, its tables and views`
  const make = async (): Promise<void> => {
    await migrateStarRocks({ ...target, mode: 'apply' })
    await check(target)
  }
  try {
    const due = await migrateStarRocks({ ...target, mode: 'plan' })
    if (due.length > 0) return [missing(due.join('; '), make)]
    await check(target)
    return [present(thing)]
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    return [error.code === 'schema-missing' ? missing(thing, make) : refused(error.message)]
  }
}

const check = async ({ openSql, ...owner }: StarRocksTarget): Promise<void> => {
  const sql = openSql(owner.database)
  try {
    await checkDatabase(sql, owner)
  } finally {
    await sql.close()
  }
}
