import { cqlMigrations } from '../../../schemas/cql/migrations.ts'
import {
  CqlFailure,
  type CqlParam,
  type CqlRow,
  type CqlStatement,
  CqlTuple,
  type CqlValue,
  CqlVarint,
} from '../port.ts'
import { shapeOf } from '../table-shape.ts'

/** The few forms of CQL that the services use, read from their text; all others are refused. */

export type TableKeys = {
  readonly partition: readonly string[]
  readonly clustering: readonly string[]
  /** Of each clustering column. */
  readonly descending: readonly boolean[]
}

export type ColumnWrite = { readonly name: string; readonly value: CqlValue; readonly text: string }

/** One write to one row, at its own timestamp. `columns` null: the row is deleted. */
export type Mutation = {
  readonly table: string
  readonly key: CqlRow
  readonly partition: string
  readonly row: string
  readonly timestamp: bigint
  readonly columns: readonly ColumnWrite[] | null
}

export type Selection = {
  readonly table: string
  /** Column as shown → column, and whether its writetime is meant. */
  readonly shown: readonly { readonly as: string; readonly column: string; readonly writetime: boolean }[]
  readonly where: readonly {
    readonly column: string
    readonly operator: '=' | '<' | '<=' | '>' | '>='
    readonly value: CqlValue
  }[]
  readonly limit: number | null
}

const statementsOf = (): readonly string[] => cqlMigrations.flatMap(each => each.statements)

/** Every table of the migrations, by name. */
export const tableKeys = (): ReadonlyMap<string, TableKeys> => {
  const order = clusteringOrder(statementsOf())
  const found = new Map<string, { partition: string[]; clustering: string[] }>()
  for (const [name, type] of shapeOf(statementsOf())) {
    const [table = '', column = ''] = name.split('.')
    if (type.endsWith(' field')) continue
    const keys = found.get(table) ?? { partition: [], clustering: [] }
    found.set(table, keys)
    const [, kind, at] = /(partition_key|clustering) (\d+)$/.exec(type) ?? []
    if (kind !== undefined) keys[kind === 'clustering' ? 'clustering' : 'partition'][Number(at)] = column
  }
  return new Map(
    [...found].map(([table, keys]) => [
      table,
      { ...keys, descending: keys.clustering.map(column => order.has(`${table}.${column}`)) },
    ]),
  )
}

/** Columns that are ordered the newest first. */
const clusteringOrder = (statements: readonly string[]): ReadonlySet<string> => {
  const descending = new Set<string>()
  for (const statement of statements) {
    const table = /^CREATE TABLE IF NOT EXISTS (\w+)/i.exec(statement)?.[1] ?? ''
    const order = /CLUSTERING ORDER BY \(([^)]*)\)/i.exec(statement)?.[1] ?? ''
    for (const [, column = ''] of order.matchAll(/(\w+) DESC/gi)) descending.add(`${table}.${column}`)
  }
  return descending
}

const keys = tableKeys()

export const keysOf = (table: string): TableKeys => {
  const found = keys.get(table)
  if (!found) throw new CqlFailure('refused', 'invalid', `there is no table ${table}`)
  return found
}

type WriteForm =
  | { readonly kind: 'insert'; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: 'delete'; readonly table: string; readonly columns: readonly string[] }

const writeForms = new Map<string, WriteForm>()

const readWriteForm = (cql: string): WriteForm => {
  const insert = /^INSERT INTO (\w+) \((.+)\) VALUES \((?:\?(?:, )?)+\) USING TIMESTAMP \?$/.exec(cql)
  if (insert) return { kind: 'insert', table: insert[1] ?? '', columns: (insert[2] ?? '').split(', ') }
  const erase = /^DELETE FROM (\w+) USING TIMESTAMP \? WHERE (.+)$/.exec(cql)
  const columns = erase?.[2]?.split(' AND ').map(each => /^(\w+) = \?$/.exec(each)?.[1] ?? '')
  if (erase && columns && !columns.includes('')) return { kind: 'delete', table: erase[1] ?? '', columns }
  throw new CqlFailure('refused', 'syntax', `the store in memory does not know: ${cql}`)
}

const writeFormOf = (cql: string): WriteForm => {
  let form = writeForms.get(cql)
  if (!form) writeForms.set(cql, (form = readWriteForm(cql)))
  return form
}

/** What a statement writes. @throws CqlFailure `refused` for a form, a table or a key that is not known */
export const mutationOf = ({ cql, params }: CqlStatement): Mutation => {
  const { kind, table, columns } = writeFormOf(cql)
  const { partition, clustering } = keysOf(table)
  const first = kind === 'insert' ? 0 : 1
  const values = new Map(columns.map((name, at) => [name, plainValue(params[first + at] as CqlParam)]))
  const timestamp = params[kind === 'insert' ? columns.length : 0] as bigint
  const keyValues = (names: readonly string[]): CqlRow =>
    Object.fromEntries(
      names.map(name => {
        const value = values.get(name)
        if (value === undefined || value === null)
          throw new CqlFailure('refused', 'invalid', `${name}, part of the key of ${table}, is missing in: ${cql}`)
        return [name, value]
      }),
    )
  const key = keyValues([...partition, ...clustering])
  return {
    table,
    key,
    partition: textOf(keyValues(partition)),
    row: textOf(keyValues(clustering)),
    timestamp,
    columns:
      kind === 'delete'
        ? null
        : [...values]
            .filter(([name, value]) => !(name in key) && value !== null)
            .map(([name, value]) => ({ name, value, text: textOf(value) })),
  }
}

/** A SELECT with its parameters. @throws CqlFailure `refused` */
export const selectionOf = (cql: string, params: readonly CqlParam[]): Selection => {
  const match = /^SELECT (.+?) FROM (\w+)(?: WHERE (.+?))?(?: LIMIT (\d+))?$/.exec(cql)
  if (!match) throw new CqlFailure('refused', 'syntax', `the store in memory does not know: ${cql}`)
  const [, columns = '', table = '', where, limit] = match
  keysOf(table)
  let next = 0
  return {
    table,
    shown: columns.split(', ').map(text => {
      const [, column, as] = /^writetime\((\w+)\) AS (\w+)$/.exec(text) ?? []
      return column === undefined || as === undefined
        ? { as: text, column: text, writetime: false }
        : { as, column, writetime: true }
    }),
    where: (where?.split(' AND ') ?? []).map(each => {
      const [, column, operator] = /^(\w+) (=|<=?|>=?) \?$/.exec(each) ?? []
      if (column === undefined) throw new CqlFailure('refused', 'syntax', `the store in memory does not know: ${cql}`)
      const value = plainValue(params[next++] as CqlParam)
      return { column, operator: operator as '=', value }
    }),
    limit: limit === undefined ? null : Number(limit),
  }
}

/** What a column gives back for a parameter. */
const plainValue = (param: CqlParam): CqlValue => {
  if (param === null || typeof param !== 'object' || Buffer.isBuffer(param)) return param
  if (param instanceof CqlVarint) return param.value
  if (param instanceof CqlTuple) return param.elements.map(plainValue)
  if (Array.isArray(param)) return param.length === 0 ? null : (param as readonly CqlParam[]).map(plainValue)
  if (param instanceof Map) {
    const entries = [...(param as ReadonlyMap<CqlParam, CqlParam>)]
    if (entries.length === 0) return null
    // A map comes back in the order of its keys.
    const plain = entries.map(([key, value]) => [plainValue(key), plainValue(value)] as const)
    return new Map(plain.sort(([a], [b]) => compareValues(a, b)))
  }
  return Object.fromEntries(
    Object.entries(param as Record<string, CqlParam>).map(([name, value]) => [name, plainValue(value)]),
  )
}

/** The order of numbers and of texts; keys are nothing else. */
export const compareValues = (a: CqlValue, b: CqlValue): number => {
  const [x, y] = [a as bigint | number | string, b as bigint | number | string]
  return x < y ? -1 : Number(x > y)
}

/** One text for each value: equal texts are equal values. */
export const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'bigint' ? `${each}n` : each instanceof Map ? [...each] : each,
  )
