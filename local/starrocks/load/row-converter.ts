import type { DuckDBValue } from '@duckdb/node-api'
import type { ParsedRow } from './json-rows.ts'
import type { Column, TableDefinition } from '../sql/statement.ts'
import { type RawValue, readerFor, type ValueReader } from '../sql/value-reader.ts'

export type ConvertedRow =
  | { readonly kind: 'row'; readonly values: DuckDBValue[] }
  | { readonly kind: 'refused'; readonly reason: string }

interface Target {
  readonly column: Column
  readonly read: ValueReader
  readonly fallback: RawValue
}

/** The load's columns do not fit the table: nothing of it can be loaded. */
export class PlanError extends Error {}

/**
 * Turns parsed rows into the values of a table's columns, in the table's order. Nothing is converted loosely: what
 * does not fit its column, is unknown or is missing refuses the row with the column's name and the reason.
 */
export class RowConverter {
  readonly #targets: readonly Target[]
  readonly #index: ReadonlyMap<string, number>
  /** For CSV: which column each field goes to. */
  readonly #positions: readonly number[]

  /** @throws PlanError for a column that the table has not, or a column left out that can't be */
  constructor(table: TableDefinition, named: readonly string[]) {
    this.#targets = table.columns.map(column => ({
      column,
      read: readerFor(column.type),
      fallback: column.default.kind === 'value' ? column.default.text : null,
    }))
    this.#index = new Map(table.columns.map((column, index) => [column.name, index]))
    const names = named.length > 0 ? named : table.columns.map(column => column.name)
    this.#positions = names.map(name => {
      const index = this.#index.get(name)
      if (index === undefined) throw new PlanError(`Unknown column '${name}' in the columns header`)
      return index
    })
    if (new Set(this.#positions).size < names.length) throw new PlanError('Duplicate column in the columns header')
    for (const [index, { column }] of this.#targets.entries()) {
      const left =
        !this.#positions.includes(index) && column.nullability === 'not null' && column.default.kind === 'none'
      if (left) throw new PlanError(`Column has no default value. column: ${column.name}`)
    }
  }

  convert(row: ParsedRow): ConvertedRow {
    switch (row.kind) {
      case 'unreadable':
        return { kind: 'refused', reason: row.reason }
      case 'object':
        return this.#convertObject(row.fields)
      case 'fields':
        return this.#convertFields(row.fields)
    }
  }

  #convertObject(fields: Readonly<Record<string, RawValue>>): ConvertedRow {
    const raw: (RawValue | undefined)[] = []
    for (const name of Object.keys(fields)) {
      const index = this.#index.get(name)
      if (index === undefined) return { kind: 'refused', reason: `Unknown column '${name}'` }
      raw[index] = fields[name]
    }
    return this.#convertRaw(raw)
  }

  #convertFields(fields: readonly RawValue[]): ConvertedRow {
    if (fields.length !== this.#positions.length) {
      const reason = `Target column count: ${this.#positions.length} doesn't match source value column count: ${fields.length}`
      return { kind: 'refused', reason }
    }
    const raw: (RawValue | undefined)[] = []
    this.#positions.forEach((target, index) => {
      raw[target] = fields[index]
    })
    return this.#convertRaw(raw)
  }

  #convertRaw(raw: readonly (RawValue | undefined)[]): ConvertedRow {
    const values: DuckDBValue[] = []
    for (let index = 0; index < this.#targets.length; index += 1) {
      const { column, read, fallback } = this.#targets[index] as Target
      const field = raw[index]
      const value = read(field === undefined ? fallback : field)
      if (value === null && column.nullability === 'not null') {
        const reason = field === undefined ? 'is missing and has no default' : 'is NULL in a NOT NULL column'
        return { kind: 'refused', reason: `Column '${column.name}' ${reason}` }
      }
      if (value !== null && typeof value === 'object' && 'misfit' in value) {
        return { kind: 'refused', reason: `Column '${column.name}': ${value.misfit}` }
      }
      values.push(value)
    }
    return { kind: 'row', values }
  }
}
