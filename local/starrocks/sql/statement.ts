import type { ColumnType } from './column-type.ts'

export type ColumnDefault =
  | { readonly kind: 'none' }
  | { readonly kind: 'null' }
  | { readonly kind: 'value'; readonly text: string }

export interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly nullability: 'null' | 'not null'
  readonly default: ColumnDefault
  readonly comment: string
}

export interface TableDefinition {
  readonly columns: readonly Column[]
  /** In the order of the table's columns, which is also the order of the key. */
  readonly primaryKey: readonly string[]
  /** The clause after PARTITION BY as it was written, or '' without one. */
  readonly partitionBy: string
  readonly distributedBy: readonly string[]
  /** 0: chosen by the server. */
  readonly buckets: number
  readonly orderBy: readonly string[]
  readonly comment: string
  readonly properties: readonly (readonly [string, string])[]
}

export interface MaterializedViewDefinition {
  readonly query: string
  /** The clauses between the name and AS, as they were written. */
  readonly clauses: string
  readonly columnNames: readonly string[]
  /** 0: refreshed only when asked. */
  readonly refreshEveryMs: number
  /** 'deferred': the first refresh waits for the timer. */
  readonly firstRefresh: 'immediate' | 'deferred'
}

/** A relation's name as written; without a database it is the session's. */
export interface RelationName {
  readonly database: string | undefined
  readonly name: string
}

export type IfExists = 'if exists' | 'must exist'
export type IfNotExists = 'if not exists' | 'must not exist'

/** Statements that change the catalog. */
export type DdlStatement =
  | { readonly kind: 'create database'; readonly database: string; readonly guard: IfNotExists }
  | { readonly kind: 'drop database'; readonly database: string; readonly guard: IfExists }
  | {
      readonly kind: 'create table'
      readonly target: RelationName
      readonly guard: IfNotExists
      readonly definition: TableDefinition
    }
  | {
      readonly kind: 'create view'
      readonly target: RelationName
      readonly guard: IfNotExists | 'replace'
      readonly columnNames: readonly string[]
      readonly query: string
    }
  | {
      readonly kind: 'create materialized view'
      readonly target: RelationName
      readonly guard: IfNotExists
      readonly definition: MaterializedViewDefinition
    }
  | { readonly kind: 'refresh'; readonly target: RelationName; readonly mode: 'sync' | 'async' }
  | { readonly kind: 'add columns'; readonly target: RelationName; readonly columns: readonly Column[] }
  | { readonly kind: 'truncate'; readonly target: RelationName }
  | {
      readonly kind: 'drop'
      readonly relation: 'table' | 'view' | 'materialized view'
      readonly target: RelationName
      readonly guard: IfExists
    }
