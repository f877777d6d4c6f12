import type { SqlPort } from '../../runtime/starrocks/sql-port.ts'
import type { TableName } from '../../schemas/starrocks/tables.ts'

const tables: readonly TableName[] = [
  ...(['assets', 'symbols', 'trades', 'user_trades', 'orders', 'order_events', 'ledger', 'balances'] as const),
]

/**
 * How many rows two databases hold, both the same ones.
 * @throws Error naming the first table that differs
 */
export const requireSameRows = async (sql: SqlPort, ours: string, theirs: string): Promise<number> => {
  let all = 0
  for (const table of tables) {
    const [count, different] = await Promise.all([
      countOf(sql, `SELECT * FROM ${ours}.${table}`),
      countOf(sql, `SELECT * FROM ${ours}.${table} EXCEPT SELECT * FROM ${theirs}.${table}`),
    ])
    const other = await countOf(sql, `SELECT * FROM ${theirs}.${table}`)
    if (different > 0 || count !== other)
      throw new Error(`${table}: ${count} rows in ${ours}, ${different} of them not among the ${other} of ${theirs}`)
    all += count
  }
  return all
}

const countOf = async (sql: SqlPort, query: string): Promise<number> => {
  const [row] = await sql.query(`SELECT COUNT(*) AS n FROM (${query}) AS found`)
  return Number(row?.['n'])
}
