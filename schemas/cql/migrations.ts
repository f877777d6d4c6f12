import { readdirSync, readFileSync } from 'node:fs'

/** A step of the store's schema: `001-tables.cql` is version 1. Applied forward, never changed once released. */
export type CqlMigration = { readonly version: number; readonly file: string; readonly statements: readonly string[] }

const folder = new URL('.', import.meta.url)

const read = (file: string): CqlMigration => {
  const version = Number(file.slice(0, 3))
  const text = readFileSync(new URL(file, folder), 'utf8').replace(/--.*$/gm, '')
  const statements = text
    .split(';')
    .map(each => each.replace(/\s+/g, ' ').trim())
    .filter(each => each !== '')
  return { version, file, statements }
}

/** Every migration, in order. Each statement may be repeated: one that was cut off is applied again. */
export const cqlMigrations: readonly CqlMigration[] = readdirSync(folder)
  .filter(file => /^\d{3}-.*\.cql$/.test(file))
  .sort()
  .map(read)

/** The version that the newest migration makes. */
export const cqlSchemaVersion: number = cqlMigrations.at(-1)?.version ?? 0
