import type { Catalog, Relation } from '../store/catalog.ts'
import type { Labels } from '../load/labels.ts'
import { definitionContext, type MaterializedViews } from '../store/materialized-views.ts'
import { translateQuery } from '../sql/select-translation.ts'
import { analysisError, notSupported, SqlError, unknownDatabase } from '../sql/sql-error.ts'
import type { Column, DdlStatement, RelationName } from '../sql/statement.ts'

export interface DdlParts {
  readonly catalog: Catalog
  readonly labels: Labels
  readonly views: MaterializedViews
}

export interface ResolvedName {
  readonly database: string
  readonly name: string
}

/** Carries out one DDL statement. @throws SqlError with StarRocks' number when it can't be done */
export async function executeDdl(
  statement: DdlStatement,
  parts: DdlParts,
  resolve: (name: RelationName) => ResolvedName,
): Promise<void> {
  switch (statement.kind) {
    case 'create database':
      return createDatabase(parts, statement)
    case 'drop database':
      return dropDatabase(parts, statement)
    case 'truncate': {
      const target = resolve(statement.target)
      parts.catalog.table(target.database, target.name)
      return parts.catalog.locked(target.database, target.name, () =>
        parts.catalog.truncate(target.database, target.name),
      )
    }
    case 'add columns': {
      const target = resolve(statement.target)
      return parts.catalog.locked(target.database, target.name, () => addColumns(parts, target, statement.columns))
    }
    case 'refresh': {
      const target = resolve(statement.target)
      const refresh = parts.views.refresh(target.database, target.name)
      // An asynchronous refresh reports nothing back; its error is in SHOW MATERIALIZED VIEWS.
      return statement.mode === 'sync' ? refresh : void refresh.catch(() => undefined)
    }
    case 'drop':
      return dropRelation(parts, statement, resolve(statement.target))
    case 'create table':
    case 'create view':
    case 'create materialized view':
      return createRelation(parts, statement, resolve(statement.target))
  }
}

async function createDatabase(
  { catalog }: DdlParts,
  { database, guard }: Extract<DdlStatement, { kind: 'create database' }>,
): Promise<void> {
  if (!catalog.hasDatabase(database)) return catalog.createDatabase(database)
  if (guard === 'must not exist') throw new SqlError(1007, `Can't create database '${database}'; database exists`)
}

async function dropDatabase(
  { catalog, labels, views }: DdlParts,
  { database, guard }: Extract<DdlStatement, { kind: 'drop database' }>,
): Promise<void> {
  if (!catalog.hasDatabase(database)) {
    if (guard === 'if exists') return
    throw new SqlError(1008, `Can't drop database '${database}'; database doesn't exist`)
  }
  views.forgetDatabase(database)
  await catalog.dropDatabase(database)
  labels.forgetDatabase(database)
}

async function addColumns({ catalog }: DdlParts, target: ResolvedName, columns: readonly Column[]): Promise<void> {
  const table = catalog.table(target.database, target.name)
  for (const column of columns) {
    if (table.columns.some(({ name }) => name.toLowerCase() === column.name.toLowerCase())) {
      throw analysisError(`Can not add column which already exists in base table: ${column.name}`)
    }
    if (column.nullability === 'not null' && column.default.kind === 'none') {
      throw analysisError(`No default value for the NOT NULL column ${column.name}`)
    }
  }
  await catalog.addColumns(target.database, target.name, columns)
}

async function dropRelation(
  { catalog, views }: DdlParts,
  statement: Extract<DdlStatement, { kind: 'drop' }>,
  { database, name }: ResolvedName,
): Promise<void> {
  if (!catalog.hasDatabase(database)) throw unknownDatabase(database)
  const existing = catalog.relations(database).get(name)
  if (!existing) {
    if (statement.guard === 'if exists') return
    throw new SqlError(1051, `Unknown table '${database}.${name}'`)
  }
  if (existing.kind !== statement.relation) {
    throw new SqlError(1347, `'${database}.${name}' is not a ${statement.relation}, it is a ${existing.kind}`)
  }
  await catalog.locked(database, name, async () => {
    views.forget(database, name)
    await catalog.drop(database, name)
  })
}

type CreateRelation = Extract<DdlStatement, { kind: 'create table' | 'create view' | 'create materialized view' }>

async function createRelation(
  parts: DdlParts,
  statement: CreateRelation,
  { database, name }: ResolvedName,
): Promise<void> {
  const { catalog, views } = parts
  if (!catalog.hasDatabase(database)) throw unknownDatabase(database)
  if (name.startsWith('_')) throw notSupported(`a table named '${name}'`)
  await catalog.locked(database, name, async () => {
    const existing = catalog.relations(database).get(name)
    if (existing && !mayReplace(statement, existing)) {
      if (statement.guard === 'if not exists') return
      throw new SqlError(1050, `Table '${name}' already exists`)
    }
    if (statement.kind === 'create table') return catalog.createTable(database, name, statement.definition)
    if (statement.kind === 'create view') {
      const sql = translateQuery(statement.query, definitionContext(database))
      return catalog.createView(database, name, { query: statement.query, sql, columnNames: statement.columnNames })
    }
  })
  // The view takes its own lock when it is built, on the timer as now.
  if (statement.kind === 'create materialized view' && !catalog.relations(database).has(name)) {
    await views.create(database, name, statement.definition)
  }
}

function mayReplace(statement: CreateRelation, existing: Relation): boolean {
  return statement.kind === 'create view' && statement.guard === 'replace' && existing.kind === 'view'
}
