import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** One forward step of the StarRocks schema: a file of plain DDL, applied once per database and never edited after. */
export type Migration = {
  readonly version: number
  readonly name: string
  readonly sha256: string
  readonly statements: readonly string[]
}

const folder = new URL('./', import.meta.url)

const readMigration = (name: string): Migration => {
  const sql = readFileSync(new URL(name, folder), 'utf8')
  return {
    version: Number(name.slice(0, 3)),
    name,
    sha256: createHash('sha256').update(sql).digest('hex'),
    statements: statementsOf(sql),
  }
}

/** Statements of a file of ours: each ends with a `;` at the end of its line, comments are lines that begin with `--`. */
export const statementsOf = (sql: string): string[] =>
  sql
    .replace(/^--.*\n/gm, '')
    .split(/;[ \t]*$/m)
    .map(statement => statement.trim())
    .filter(statement => statement !== '')

/** All migrations there are, in the order in which they are applied. */
export const migrations: readonly Migration[] = readdirSync(folder)
  .filter(name => /^\d{3}-.+\.sql$/.test(name))
  .sort()
  .map(readMigration)
