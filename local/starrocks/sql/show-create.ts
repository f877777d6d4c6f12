import type { Relation } from '../store/catalog.ts'
import { displayTypeName } from './column-type.ts'
import type { Column, TableDefinition } from './statement.ts'

const quote = (name: string): string => `\`${name}\``
const quoteList = (names: readonly string[]): string => `(${names.map(quote).join(', ')})`
const text = (value: string): string => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

/** The statement that makes this relation, as SHOW CREATE prints it. */
export function showCreate(name: string, relation: Relation): string {
  switch (relation.kind) {
    case 'table':
      return showCreateTable(name, relation.definition)
    case 'view':
      return `CREATE VIEW ${quote(name)} ${quoteList(relation.columns.map(column => column.name))} AS ${relation.query};`
    case 'materialized view':
      return `CREATE MATERIALIZED VIEW ${quote(name)} ${relation.definition.clauses}\nAS ${relation.definition.query};`
  }
}

function showCreateTable(name: string, table: TableDefinition): string {
  const lines = [
    `CREATE TABLE ${quote(name)} (`,
    table.columns.map(column => `  ${columnText(column)}`).join(',\n'),
    ') ENGINE=OLAP ',
    `PRIMARY KEY${quoteList(table.primaryKey)}`,
  ]
  if (table.comment !== '') lines.push(`COMMENT ${text(table.comment)}`)
  if (table.partitionBy !== '') lines.push(`PARTITION BY ${table.partitionBy}`)
  const buckets = table.buckets > 0 ? ` BUCKETS ${table.buckets} ` : ''
  lines.push(`DISTRIBUTED BY HASH${quoteList(table.distributedBy)}${buckets}`)
  if (table.orderBy.length > 0) lines.push(`ORDER BY${quoteList(table.orderBy)}`)
  if (table.properties.length > 0) {
    const properties = table.properties.map(([key, value]) => `${text(key)} = ${text(value)}`)
    lines.push(`PROPERTIES (\n${properties.join(',\n')}\n)`)
  }
  return `${lines.join('\n')};`
}

function columnText(column: Column): string {
  const fallback =
    column.default.kind === 'value'
      ? ` DEFAULT ${text(column.default.text)}`
      : column.default.kind === 'null'
        ? ' DEFAULT NULL'
        : ''
  const nullability = column.nullability === 'not null' ? 'NOT NULL' : 'NULL'
  return `${quote(column.name)} ${displayTypeName(column.type)} ${nullability}${fallback} COMMENT ${text(column.comment)}`
}
