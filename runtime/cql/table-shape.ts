import { splitTop } from './statement-rules.ts'

/** Names and types of a keyspace's columns and of its types' fields, as `table.column` → `type kind`. */
export type TableShape = ReadonlyMap<string, string>

/**
 * What CREATE TYPE, CREATE TABLE and ALTER … ADD statements make, read from their text. They are our own: one form
 * only, anything else is a bug.
 */
export const shapeOf = (statements: readonly string[]): TableShape => {
  const shape = new Map<string, string>()
  for (const statement of statements) {
    const created = /^CREATE (TYPE|TABLE) IF NOT EXISTS (\w+) \((.*?)\)(?: WITH .*)?$/i.exec(statement)
    if (created) {
      const [, what, name, body] = created as unknown as [string, string, string, string]
      addCreated(shape, { isType: what.toUpperCase() === 'TYPE', name, parts: splitTop(body) })
      continue
    }
    const added = /^ALTER TABLE (\w+) ADD (\w+) (.+)$/i.exec(statement)
    if (!added) throw new Error(`a migration has a statement of another form: ${statement}`)
    const [, table, column, type] = added as unknown as [string, string, string, string]
    shape.set(`${table}.${column}`, `${plain(type)} regular`)
  }
  return shape
}

const addCreated = (
  shape: Map<string, string>,
  { isType, name, parts }: { readonly isType: boolean; readonly name: string; readonly parts: readonly string[] },
): void => {
  const kinds = keyKinds(parts.find(part => /^PRIMARY KEY/i.test(part)) ?? '')
  for (const part of parts) {
    if (/^PRIMARY KEY/i.test(part)) continue
    const [column = '', ...type] = part.split(' ')
    shape.set(`${name}.${column}`, `${plain(type.join(' '))} ${isType ? 'field' : (kinds.get(column) ?? 'regular')}`)
  }
}

/** PRIMARY KEY ((a, b), c): a and b are the partition's key, c orders its rows. A lone (a) is the partition's key. */
const keyKinds = (clause: string): ReadonlyMap<string, string> => {
  const body = /\((.*)\)/.exec(clause)?.[1] ?? ''
  const [partition = '', ...clustering] = splitTop(body)
  const names = partition.replace(/[()]/g, '').split(',')
  return new Map([
    ...names.map((name, at) => [name.trim(), `partition_key ${at}`] as const),
    ...clustering.map((name, at) => [name.trim(), `clustering ${at}`] as const),
  ])
}

const plain = (type: string): string => type.replace(/\s/g, '').toLowerCase()

type ColumnRow = {
  readonly table: string
  readonly column: string
  readonly kind: string
  readonly position: number
  readonly type: string
}
type TypeRow = { readonly name: string; readonly fields: readonly string[]; readonly types: readonly string[] }

/** The same of what the store says it has. */
export const shapeOfStore = (columns: readonly ColumnRow[], types: readonly TypeRow[]): TableShape =>
  new Map([
    ...types.flatMap(({ name, fields, types: fieldTypes }) =>
      fields.map((field, at) => [`${name}.${field}`, `${plain(fieldTypes[at] ?? '')} field`] as const),
    ),
    ...columns.map(({ table, column, kind, position, type }) => {
      const place = kind === 'partition_key' || kind === 'clustering' ? `${kind} ${position}` : kind
      return [`${table}.${column}`, `${plain(type)} ${place}`] as const
    }),
  ])

/** Whether all of it is there already. */
export const isMade = (wanted: TableShape, found: TableShape): boolean =>
  [...wanted].every(([name, type]) => found.get(name) === type)

/** Where the store differs from what it should have, in words. Tables that are not ours are nobody's business. */
export const shapeProblems = (expected: TableShape, found: TableShape): string[] => {
  const ours = new Set([...expected.keys()].map(tableOf))
  const problems: string[] = []
  for (const [name, type] of expected) {
    const is = found.get(name)
    if (is === undefined) problems.push(`${name} is missing (${type})`)
    else if (is !== type) problems.push(`${name} is ${is}, not ${type}`)
  }
  for (const [name, type] of found)
    if (ours.has(tableOf(name)) && !expected.has(name)) problems.push(`${name} (${type}) does not belong there`)
  return problems
}

const tableOf = (name: string): string => name.slice(0, name.indexOf('.'))
