import { quoteName } from '../store/database.ts'
import type { TableDefinition } from '../sql/statement.ts'

/**
 * The statement that brings staged rows into a PRIMARY KEY table: of rows with one key in the same load the last wins,
 * with a merge condition the one with the larger value; then a row is inserted, or replaces the one there, with a
 * merge condition only when its value is at least as large.
 *
 * Rows that would be rewritten unchanged are left alone: DuckDB takes minutes to rewrite 100,000 equal rows in an
 * ON CONFLICT, and a replay is nothing but equal rows.
 */
export function mergeStatement(options: {
  target: string
  staging: string
  ordinal: string
  table: TableDefinition
  mergeCondition: string | undefined
}): string {
  const { target, staging, table, mergeCondition } = options
  const columns = table.columns.map(column => quoteName(column.name))
  const key = table.primaryKey.map(quoteName)
  const values = columns.slice(key.length)
  const condition = mergeCondition === undefined ? undefined : quoteName(mergeCondition)
  const latest = `${options.ordinal} DESC`
  const order = condition === undefined ? latest : `${condition} DESC NULLS LAST, ${latest}`
  const insert = `INSERT INTO ${target} AS t (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM ${staging}
    QUALIFY row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order}) = 1
    ON CONFLICT (${key.join(', ')})`
  if (values.length === 0) return `${insert} DO NOTHING`
  const assignments = values.map(name => `${name} = excluded.${name}`).join(', ')
  return `${insert} DO UPDATE SET ${assignments} WHERE ${guard(values, condition)}`
}

function guard(values: readonly string[], condition: string | undefined): string {
  const row = (alias: string) => `(${values.map(name => `${alias}.${name}`).join(', ')})`
  const differs = `${row('excluded')} IS DISTINCT FROM ${row('t')}`
  if (condition === undefined) return differs
  return `t.${condition} IS NULL OR excluded.${condition} > t.${condition}
    OR (excluded.${condition} = t.${condition} AND ${differs})`
}
